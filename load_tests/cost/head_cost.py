"""Measures what a known head spares a request over HTTP/1.1: `python -m ekiben.load_tests cost --heads`.

The same requests are given to the service's connections, without sockets: to some that know heads which they have seen
before, and to others that parse each.
"""

import asyncio
import time
from itertools import chain
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from ekiben.load_tests.cost.grpc_cost import POLL_S, NoTransport
from ekiben.load_tests.cost.request_cost import (
    LOADS,
    ROUNDS,
    WARM_UP,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, OIP_BINARY, OIP_JSON, PREDICT, TFS_REST
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.store import find_model, open_stored
from ekiben.service.auth import Authenticator
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.known_heads import KnownHeads
from ekiben.service.environment import read_settings
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.messages import Receive, Scope, Send
from ekiben.service.logs.access import share_access_log

FORMATS = (PREDICT, OIP_JSON, OIP_BINARY, TFS_REST, INVOCATIONS)


def run(seconds: float) -> int:
    """Print a Markdown table of the CPU time of each protocol's requests, parsed and known."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane = start_dataplane(settings, model)
    router, _ = open_routes(settings, dataplane)
    guard, access = Authenticator(), share_access_log(settings.access_log_sample)
    app = FrontDoor(answer_nothing, router, guard, Drain(), access, Cors(""))
    print(f"\n{describe_machine()}; without sockets\n")
    print("| rows | together | dialect | CPU µs/req, parsed | known | × |\n|--:|--:|---|--:|--:|--:|")
    for rows, together in LOADS:
        for one in FORMATS:
            cases = [write_case(model.schema, golden, one, rows, first) for first in range(together)]
            requests = [http_request(case.path, case.headers, case.body) for case in cases]
            parsed_us, known_us = await measure(app, guard, requests, seconds)
            numbers = f"{parsed_us:.1f} | {known_us:.1f} | {known_us / parsed_us:.2f}"
            print(f"| {rows} | {together} | {one.name} | {numbers} |")
    dataplane.close()


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where BentoML does: no request comes this far."""
    raise NotImplementedError(scope["path"])


async def measure(app: Any, guard: Authenticator, requests: list[bytes], seconds: float) -> tuple[float, float]:
    """Return the CPU µs of a request that is parsed, and of one whose head is known, of those that arrive together."""
    config, state = Config(app, lifespan="off", log_config=None, access_log=False), ServerState()
    config.load()
    both = [
        [Caller(shared, config, state, request) for request in requests]
        for shared in (HttpState(), HttpState(heads=KnownHeads(guard)))
    ]
    measured: list[list[float]] = [[], []]
    for number in range(WARM_UP + ROUNDS):
        for callers, found in zip(both, measured, strict=True):  # in turn: the machine is not the same at all times
            if number < WARM_UP:
                await ask_all(callers)
            else:
                found.append(await measure_round(callers, seconds / ROUNDS))
    for caller in chain.from_iterable(both):
        caller.connection.connection_lost(None)
    return min(measured[0]), min(measured[1])


async def measure_round(callers: "list[Caller]", seconds: float) -> float:
    """Return the same of one round of so many seconds of CPU time."""
    count, spent_s, began = 0, 0.0, time.process_time()
    while not count or spent_s < seconds:
        await ask_all(callers)
        count += len(callers)
        spent_s = time.process_time() - began
    return 1e6 * spent_s / count


async def ask_all(callers: "list[Caller]") -> None:
    """Let all ask in one turn of the event loop, and wait for their answers."""
    for caller in callers:
        caller.connection.data_received(caller.request)
    while not all(caller.connection.is_answered() for caller in callers):
        await asyncio.sleep(POLL_S)


class Caller:
    """A connection, and what is asked over it."""

    def __init__(self, shared: HttpState, config: Config, state: ServerState, request: bytes) -> None:
        self.request = request
        self.connection: Any = AdmissionConnection(shared, config=config, server_state=state, app_state={})
        self.connection.connection_made(Answered())


class Answered(NoTransport):
    """Takes answers, which must be good ones."""

    def write(self, data: Any) -> None:
        """Take one."""
        assert data.startswith(b"HTTP/1.1 200 ") or not data.startswith(b"HTTP/"), data
