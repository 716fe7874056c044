"""Measures what a request over HTTP/1.1 costs, connections and all: `python -m ekiben.load_tests cost --http`.

There are no sockets: connections are given bytes, and what they write is dropped. Beside requests whose head is known
stand the same where none is (as all were before), and the floor: uvicorn with raw ASGI, our encoding and the engine.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ekiben.contract.encoding import Encoder
from ekiben.load_tests.cost.request_cost import ROUNDS, open_routes, read_golden, run_as_service, start_dataplane
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, OIP_BINARY, OIP_JSON, PREDICT, TFS_REST
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import write_case
from ekiben.load_tests.servers.floor import Floor
from ekiben.model.store import find_model, open_stored
from ekiben.service.auth import Authenticator
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.known_heads import KnownHeads
from ekiben.service.environment import read_settings
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.messages import App, Receive, Scope, Send
from ekiben.service.logs.access import share_access_log

DIALECTS = (PREDICT, TFS_REST, OIP_JSON, OIP_BINARY, INVOCATIONS)
TOGETHER, WARM_UP, TURNS = 64, 20, 10  # requests, each over a connection of its own
COLUMNS = ("dialect", "head known, CPU µs", "parsed", "known ÷ parsed", "floor", "known ÷ floor")
DATE = b"Sat, 28 Nov 2026 00:00:00 GMT"


def run(seconds: float) -> int:
    """Print a Markdown table of the CPU time of a request in each protocol."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure with the golden rows of the model of the store, one a request."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane = start_dataplane(settings, model)
    router, _ = open_routes(settings, dataplane)
    authenticator = Authenticator()
    door = FrontDoor(answer_nothing, router, authenticator, Drain(), share_access_log(0.0), Cors(""))
    floor = Floor(Encoder(model.schema), model.start_engine())
    sides = [
        open_side(door, HttpState(heads=KnownHeads(authenticator))),
        open_side(door, HttpState()),
        open_side(floor, None),
    ]
    print(f"\n{describe_machine()}; {TOGETHER} requests of one row at a time, without sockets\n")
    print(f"| {' | '.join(COLUMNS)} |\n|---|--:|--:|--:|--:|--:|")
    for dialect in DIALECTS:
        cases = [write_case(model.schema, golden, dialect, 1, first) for first in range(TOGETHER)]
        requests = [http_request(case.path, case.headers, case.body) for case in cases]
        asked = sides if dialect is PREDICT else sides[:2]
        known, parsed, *least = await measure(asked, requests, seconds)
        beside = f"{least[0]:.1f} | {known / least[0]:.2f}" if least else " | "
        print(f"| {dialect.name} | {known:.1f} | {parsed:.1f} | {known / parsed:.2f} | {beside} |")
    dataplane.close()


async def measure(sides: Sequence["Side"], requests: Sequence[bytes], seconds: float) -> list[float]:
    """Return the CPU µs of a request on each side: the cheapest of rounds that take turns."""
    for side in sides:
        for _ in range(WARM_UP):
            await side.ask(requests)
    rounds = [[await measure_round(side, requests, seconds / ROUNDS) for side in sides] for _ in range(ROUNDS)]
    return [min(costs) for costs in zip(*rounds, strict=True)]


async def measure_round(side: "Side", requests: Sequence[bytes], seconds: float) -> float:
    """Return the same of one round of so many seconds of CPU time."""
    count, spent_s, began = 0, 0.0, time.process_time()
    while not count or spent_s < seconds:
        for _ in range(TURNS):
            await side.ask(requests)
        count += TURNS * len(requests)
        spent_s = time.process_time() - began
    return 1e6 * spent_s / count


@dataclass
class Side:
    """Connections to one app."""

    connections: list[Any]
    transport: "Counting"

    async def ask(self, requests: Sequence[bytes]) -> None:
        """Send one request over each connection, and wait until all are answered."""
        wanted = self.transport.answers + len(requests)
        for connection, request in zip(self.connections, requests, strict=True):
            connection.data_received(request)
        while self.transport.answers < wanted:
            await asyncio.sleep(0)


class Counting(asyncio.Transport):
    """Takes what all connections write, and counts the answers."""

    answers = 0

    def write(self, data: Any) -> None:
        """Count an answer's head."""
        assert data.startswith((b"HTTP/1.1 200", b"{")), data
        self.answers += data.startswith(b"HTTP/1.1")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Stay: an idle connection is asked again."""

    def pause_reading(self) -> None:
        """Read on: nothing comes."""

    def resume_reading(self) -> None:
        """Read on: nothing comes."""


def open_side(app: App, state: HttpState | None) -> Side:
    """Return connections to an app: ours, or without a state uvicorn's own."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    config.load()
    server, transport = ServerState(), Counting()
    server.default_headers = [(b"date", DATE)]
    given: dict[str, Any] = {"config": config, "server_state": server, "app_state": {}}
    connections = [
        AdmissionConnection(state, **given) if state else HttpToolsProtocol(**given) for _ in range(TOGETHER)
    ]
    for connection in connections:
        connection.connection_made(transport)
    return Side(connections, transport)


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where BentoML's app does."""
    logging.getLogger("bentoml.service").error("nothing answers on %s", scope["path"])
