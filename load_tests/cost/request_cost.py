"""Measures what a request costs without sockets, by protocol: `python -m ekiben.load_tests cost`.

Requests that arrive together are answered by the service's own routes and methods in this process: what is left out is
HTTP's parsing, gRPC's core and the network.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import uvloop

from ekiben.contract.reference.reference import Reference
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, OIP_BINARY, OIP_JSON, PREDICT, TFS_REST, RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.engine import load_engine
from ekiben.model.golden import Golden
from ekiben.model.package import LITERT_FILE, SAVED_MODEL_FOLDER, PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.dataplane import Dataplane
from ekiben.service.environment import read_settings
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.http.messages import Message, Scope
from ekiben.service.http.router import Router
from ekiben.service.lifecycle.memory import GARBAGE_OBJECTS
from ekiben.service.protocols import PROTOCOLS
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.row_log.logs import Logs
from ekiben.service.servings.dispatch import unite
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.settings import Settings

FORMATS = (PREDICT, OIP_JSON, OIP_BINARY, TFS_REST, INVOCATIONS, OIP_RAW, OIP_TYPED, TFS_GRPC)
LOADS = ((1, 64), (64, 16))  # (rows a request, requests that arrive together)
WARM_UP, ROUNDS = 20, 7  # the cheapest round counts: whatever else the machine does makes others dearer
MAX_VALUES, TIMEOUT_S = 10_000, 10.0
Ask = Callable[[RequestCase], Awaitable[bytes]]


def run(seconds: float) -> int:
    """Print a Markdown table of the CPU time of each protocol's requests."""
    run_as_service(measure_all(seconds))
    return 0


def run_as_service(measuring: Coroutine[Any, Any, None]) -> None:
    """Run on the event loop, and with the garbage collection, that a service has."""
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measuring)


async def measure_all(seconds: float) -> None:
    """Measure every protocol with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane = start_dataplane(settings, model)
    router, services = open_routes(settings, dataplane)
    print(f"\n{describe_machine()}; without sockets\n")
    print("| rows | together | dialect | CPU µs/req | × |\n|--:|--:|---|--:|--:|")
    for rows, together in LOADS:
        floor_us = 0.0
        for request_format in FORMATS:
            cases = [write_case(model.schema, golden, request_format, rows, first) for first in range(together)]
            cost_us = await measure(find_ask(router, services, request_format), cases, seconds)
            floor_us = floor_us or cost_us  # the first's, /predict
            print(f"| {rows} | {together} | {request_format.name} | {cost_us:.1f} | {cost_us / floor_us:.2f} |")
    dataplane.close()


def read_golden(model: PackedModel) -> Golden:
    """Return the rows that are sent."""
    return model.load_golden()


def start_dataplane(settings: Settings, model: PackedModel, reference: Reference | None = None) -> Dataplane:
    """Return what answers rows; it counts them if there is a reference."""
    engine = load_engine(model.manifest.engine, model.path / LITERT_FILE, model.path / SAVED_MODEL_FOLDER)
    limits = settings.max_waiting_rows, settings.max_request_rows
    return Dataplane(model, engine, *limits, reference=reference)


def open_routes(settings: Settings, dataplane: Dataplane) -> tuple[Router, Mapping[str, Mapping[str, Method]]]:
    """Return the service's routes, and its gRPC methods by service."""
    serving = Serving(dataplane.model, dataplane, Logs(), tuple(build(dataplane, settings) for build in PROTOCOLS))
    protocols = unite(Servings([serving]), serving.protocols)
    router = Router()
    mount(router, protocols, settings)
    return router, {name: methods for protocol in protocols for name, methods in protocol.services.items()}


async def measure(ask: Ask, cases: list[RequestCase], seconds: float) -> float:
    """Return the CPU µs of a request, of those that arrive together."""
    for case, answer in zip(cases, await asyncio.gather(*map(ask, cases)), strict=True):
        assert case.is_answered_by(answer), answer
    for _ in range(WARM_UP):
        await asyncio.gather(*map(ask, cases))
    return min([await measure_round(ask, cases, seconds / ROUNDS) for _ in range(ROUNDS)])


async def measure_round(ask: Ask, cases: list[RequestCase], seconds: float) -> float:
    """Return the same of one round of so many seconds of CPU time: a crowded machine measures as much."""
    count, spent_s, began = 0, 0.0, time.process_time()
    while not count or spent_s < seconds:
        await asyncio.gather(*map(ask, cases))
        count += len(cases)
        spent_s = time.process_time() - began
    return 1e6 * spent_s / count


def find_ask(router: Router, services: Mapping[str, Mapping[str, Method]], request_format: RequestFormat) -> Ask:
    """Return what answers a request in that protocol."""
    if not request_format.grpc:
        return lambda case: post(router, case)
    _, service, name = request_format.path.split("/")
    return lambda case: call(services[service][name], case.body)


async def post(router: Router, case: RequestCase) -> bytes:
    """Return the answer to a request over HTTP."""
    sent: list[Message] = []
    messages: list[Message] = [{"type": "http.request", "body": case.body}]

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future()  # the caller stays

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in case.headers.items()]
    path, _, query = case.path.partition("?")
    scope: Scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": headers}
    found = router.find(path)
    assert found is not None  # it is a protocol's own
    scope["path_params"] = found.parameters
    await found.resource.apps["POST"](scope, receive, send)
    return bytes(sent[1]["body"])


async def call(method: Method, body: bytes) -> bytes:
    """Return the answer to a call over gRPC."""
    answered = await method.answer(parse(method.request, body, MAX_VALUES), Call(TIMEOUT_S))
    return bytes(answered.SerializeToString())
