"""Measures what a gRPC call costs our own server, HTTP/2 and all: `python -m ekiben.load_tests cost --grpc`.

The bytes of its clients were made before, and there are no sockets: only the server counts. Beside the whole call stand
the same methods without HTTP/2 and gRPC, and an echo: what is left of a call if nothing is computed.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import zttp

from ekiben.load_tests.cost.request_cost import (
    LOADS,
    ROUNDS,
    find_ask,
    measure,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.hostile import http2
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.store import find_model, open_stored
from ekiben.service.auth import Authenticator
from ekiben.service.connections.http2.connection import Http2Connection, Port
from ekiben.service.connections.http_state import HttpState
from ekiben.service.environment import read_settings
from ekiben.service.grpc.native.server import NativeServer
from ekiben.service.grpc.prefix import frame
from ekiben.service.protocols.protocol import Call, Method, Protocol
from ekiben.service.protos import message
from ekiben.service.settings import Settings

COLUMNS = ("rows", "together", "dialect", "CPU µs/call", "of it the method", "/predict, without HTTP")
CONNECTIONS = 8
POLL_S = 0.0002  # between looks whether all are answered
CALLS = 3000  # on a connection, before it is replaced
HEADERS = [(b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"user-agent", b"grpc-python/1.85")]
ECHO = "tests.Echo"
# What either side gets from the other, so that none waits for it.
SETTINGS = http2.frame(http2.SETTINGS, 0, 0)
WINDOW = http2.frame(http2.WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big"))


def run(seconds: float) -> int:
    """Print a Markdown table of the CPU time of a call in each protocol."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane = start_dataplane(settings, model)
    router, services = open_routes(settings, dataplane)
    port = open_port(settings, services)
    print(f"\n{describe_machine()}; without sockets\n")
    print(f"| {' | '.join(COLUMNS)} |\n|--:|--:|---|--:|--:|--:|")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        floor_us = await measure(find_ask(router, services, PREDICT), cases, seconds)
        for request_format in (OIP_RAW, OIP_TYPED, TFS_GRPC):
            cases = [write_case(model.schema, golden, request_format, rows, first) for first in range(together)]
            inner_us = await measure(find_ask(router, services, request_format), cases, seconds)
            wire_us = await measure_wire(port, request_format.path, [case.body for case in cases], seconds)
            print(f"| {rows} | {together} | {request_format.name} | {wire_us:.1f} | {inner_us:.1f} | {floor_us:.1f} |")
        bodies = [case.body for case in cases]
        echo_us = await measure_wire(port, f"/{ECHO}/Ask", bodies, seconds)
        print(f"| {rows} | {together} | echo of the last | {echo_us:.1f} | | |")
    dataplane.close()


def open_port(settings: Settings, services: Mapping[str, Mapping[str, Method]]) -> Port:
    """Return what answers the service's methods, and an echo, on connections."""

    async def answer(request: Any, call: Call) -> Any:
        return request

    echo = Method(message("tensorflow.serving.PredictRequest"), answer)
    protocols = [Protocol("cost", services=dict(services)), Protocol("echo", services={ECHO: {"Ask": echo}})]
    server = NativeServer(protocols, settings, Authenticator(), HttpState(), 10_000)
    return Port(server.answer)


async def measure_wire(port: Port, path: str, bodies: Sequence[bytes], seconds: float) -> float:
    """Return the CPU µs of a call, of those that arrive together on a few connections."""
    state = HttpState()
    measured = [await measure_round(state, port, path.encode(), bodies, seconds / ROUNDS) for _ in range(ROUNDS)]
    return min(measured)


async def measure_round(state: HttpState, port: Port, path: bytes, bodies: Sequence[bytes], seconds: float) -> float:
    """Return the same of one round of so many seconds of CPU time."""
    count, spent_s = 0, 0.0
    while not count or spent_s < seconds:
        peers = [Peer(state, port) for _ in range(min(CONNECTIONS, len(bodies)))]
        shares = [bodies[index :: len(peers)] for index in range(len(peers))]
        turns = [
            [peer.write(path, share) for peer, share in zip(peers, shares, strict=True)]
            for _ in range(CALLS // max(map(len, shares)))
        ]
        began = time.process_time()
        for turn in turns:
            for peer, data in zip(peers, turn, strict=True):
                peer.connection.data_received(data)
            while any(peer.connection.streams for peer in peers):
                await asyncio.sleep(POLL_S)
            count += len(bodies)
            if spent_s + time.process_time() - began > seconds:
                break
        spent_s += time.process_time() - began
        for peer in peers:
            peer.connection.connection_lost(None)
    return 1e6 * spent_s / count


class Peer:
    """A client and its connection."""

    def __init__(self, state: HttpState, port: Port) -> None:
        self._client = zttp.Connection(zttp.CLIENT, zttp.HTTP2)
        self.connection = Http2Connection(state, port)
        self.connection.connection_made(NoTransport())
        self._client.initiate_connection()
        self._begun = self._client.data_to_send() + WINDOW
        self._client.receive_data(SETTINGS + WINDOW)
        while self._client.next_event() is not zttp.NEED_DATA:
            pass

    def write(self, path: bytes, bodies: Sequence[bytes]) -> bytes:
        """Return what calls with these messages are on the wire."""
        for body in bodies:
            stream = self._client.send_request(b"POST", path, b"2", [*HEADERS, (b"host", b"localhost")])
            stream.send_data(frame(body))
            stream.end_message()
        begun, self._begun = self._begun, b""
        return begun + self._client.data_to_send()


class NoTransport(asyncio.Transport):
    """Takes what is written, and forgets it."""

    def write(self, data: Any) -> None:
        """Take it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        """Take nothing any more."""

    def pause_reading(self) -> None:
        """Read on: nothing comes."""

    def resume_reading(self) -> None:
        """Read on: nothing comes."""
