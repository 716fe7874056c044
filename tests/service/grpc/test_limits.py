"""No gRPC caller can harm another: streams, metadata, messages, memory and time are bounded."""

import asyncio
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import psutil
import pytest

from ekiben.load_tests.hostile.http2 import (
    ACK,
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    Http2Connection,
    frame,
    head,
)
from ekiben.model.package import PackedModel
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.connection_limit import MAX_GRPC, find_grpc_limit
from ekiben.service.grpc import health, unpacking
from ekiben.service.grpc.grpcio import server as grpc_server
from ekiben.service.grpc.grpcio.server import MAX_METADATA_BYTES, MAX_STREAMS
from ekiben.service.grpc.health import MAX_WATCHERS, Request
from ekiben.service.grpc.message_parsing import LARGE_BYTES, MAX_MESSAGES
from ekiben.service.grpc.reflection import MAX_REFLECTION_STREAMS as MAX_REFLECTIONS
from ekiben.service.grpc.reflection import SERVICES as REFLECTION
from ekiben.service.protocols.protocol import Call
from tests.conftest import NAME, Server, serve, wait_until
from tests.grpc_server import ECHO, KINDS, Code, call, echo, open_server, rejected
from tests.open_inference_requests import raw_request, typed_request
from tests.waiting import wait_for

INFER = "inference.GRPCInferenceService/ModelInfer"
CLASSIFY = "tensorflow.serving.PredictionService/Classify"
WATCH, CHECK = f"{health.SERVICE}/Watch", f"{health.SERVICE}/Check"
MIB = 2**20
GROWTH = 1.05  # of what is resident, after all is answered


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def field(number: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds these bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


# Watch and reflection


def test_watchers_are_bounded_and_leave_room_as_they_go() -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, _):
            watch = channel.unary_stream(f"/{WATCH}")
            watching = [watch(b"") for _ in range(MAX_WATCHERS)]
            for one in watching:
                await one.read()
            error = await rejected_stream(watch(b""))
            assert error.code() is Code.RESOURCE_EXHAUSTED
            assert error.details() == f"there are {MAX_WATCHERS} Watch streams already: try again later"
            await call(channel, b"", CHECK)
            watching[0].cancel()

            async def is_let_in() -> bool:
                return bool(await watch(b"").read() is not grpc.aio.EOF)

            async with asyncio.timeout(5):
                while not await is_let_in():
                    await asyncio.sleep(0.01)

    run(main())


def test_reflection_streams_are_bounded_and_end_when_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.service.grpc.stream.IDLE_S", 0.2)

    async def main() -> None:
        async with open_server(echo) as (channel, _):
            reflect = channel.stream_stream(f"/{REFLECTION[0]}/ServerReflectionInfo")
            open_ones = [reflect() for _ in range(MAX_REFLECTIONS)]
            for one in open_ones:
                await one.write(b"")
                await one.read()
            error = await rejected_stream(reflect(iter([b""])))
            assert error.code() is Code.RESOURCE_EXHAUSTED
            for one in open_ones:  # none has anything to ask any more
                assert await one.code() is Code.DEADLINE_EXCEEDED
            assert len([answer async for answer in reflect(iter([b""]))]) == 1

    run(main())


def test_a_question_that_is_no_name_is_rejected() -> None:
    async def main() -> None:
        async with open_server(echo, max_body_bytes=2 * LARGE_BYTES) as (channel, _):
            long = Request(service="x" * 5000).SerializeToString()
            error = await rejected_stream(channel.unary_stream(f"/{WATCH}")(long))
            assert error.code() is Code.INVALID_ARGUMENT
            assert "larger than max (4096): ask for one thing" in str(error.details())

    run(main())


async def rejected_stream(stream: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stream:
            pass
    return caught.value


# Messages


def test_a_call_without_a_message_is_rejected() -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, _):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.stream_unary(f"/{ECHO}/Ask")(iter(()))
            assert caught.value.code() is Code.INVALID_ARGUMENT
            assert caught.value.details() == "the call has no message: send one"

    run(main())


def test_messages_that_do_not_come_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.service.grpc.grpcio.arrivals.PROMPT_S", 0.2)

    async def main() -> None:
        async with open_server(echo, request_timeout_s=1.0) as (channel, _):
            slow = [channel.stream_unary(f"/{ECHO}/Ask")() for _ in range(100)]
            for _ in range(10):
                await call(channel, b"")
            ended = await asyncio.gather(*slow, return_exceptions=True)
            codes = Counter(one.code() for one in ended if isinstance(one, grpc.aio.AioRpcError))
            # Room for the largest message is kept for as many as the budget has, the others are told at once.
            assert codes[Code.RESOURCE_EXHAUSTED] > 0
            assert codes[Code.DEADLINE_EXCEEDED] > 0
            assert sum(codes.values()) == 100

    run(main())


def test_bytes_under_way_are_bounded_and_given_back() -> None:
    budget = ByteBudget(1500)

    async def main() -> None:
        release = asyncio.Event()

        async def wait(request: Any, call: Call) -> Any:
            await release.wait()
            return request

        async with open_server(wait, budget=budget) as (channel, _):
            message = Request(service="x" * 700).SerializeToString()
            first = [asyncio.ensure_future(call(channel, message)) for _ in range(2)]
            await wait_for(lambda: budget.taken == 2 * len(message))
            error = await rejected(channel, message)
            assert error.code() is Code.RESOURCE_EXHAUSTED
            assert ("retry-after", "1") in tuple(error.trailing_metadata())
            release.set()
            await asyncio.gather(*first)
            assert budget.taken == 0
            assert await call(channel, message) == message

    run(main())


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_message_may_unpack_to_so_many_times_its_size(
    compression: grpc.Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 4 * LARGE_BYTES)
    budget = ByteBudget(64 * MIB)

    async def main() -> None:
        async with open_server(echo, budget=budget, max_body_bytes=8 * MIB) as (channel, _):
            for size in (10, LARGE_BYTES - 10, 4 * LARGE_BYTES - 10):
                fitting = Request(service="x" * size).SerializeToString()
                assert await call(channel, fitting, compression=compression) == fitting
            bomb = Request(service="x" * 3 * MIB).SerializeToString()
            error = await rejected(channel, bomb, compression=compression)
            assert error.code() is Code.RESOURCE_EXHAUSTED
            assert "the unpacked message is larger than max" in str(error.details())
            assert await call(channel, bomb) == bomb  # not packed
            assert budget.taken == 0

    run(main())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"\x1f\x8b\x08\x00" + bytes(20), "the message is not compressed as its content encoding says"),
        (b"\x78\x9c\xab\x56", "the compressed message ends too soon"),
    ],
)
def test_a_damaged_compressed_message_is_rejected(body: bytes, sentence: str) -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, _):
            error = await rejected(channel, body)
            assert (error.code(), error.details()) == (Code.INVALID_ARGUMENT, sentence)

    run(main())


def test_a_deadline_is_never_longer_than_the_setting() -> None:
    given: list[float] = []

    async def answer(request: Any, call: Call) -> Any:
        given.append(call.timeout_s)
        return request

    async def main() -> None:
        async with open_server(answer, request_timeout_s=1.0, max_timeout_s=2.0) as (channel, _):
            for timeout in (None, 1.5, 3600):
                await call(channel, timeout=timeout)

    run(main())
    assert given[0] == 1
    assert 1 < given[1] <= 1.6
    assert given[2] == 2


@pytest.mark.parametrize(
    ("files", "connections"), [(256, 64), (2**20, MAX_GRPC), (resource.RLIM_INFINITY, MAX_GRPC), (3, 1)]
)
def test_connections_are_a_share_of_the_files_that_may_be_open(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert find_grpc_limit() == connections


# A whole service, and a caller who asks for a row every 10 ms


@pytest.fixture(scope="module", params=KINDS)
def opened(
    request: pytest.FixtureRequest, model: PackedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, socket.socket]]:
    """The service, and a connection that says nothing from the start, so that its end comes while others are tested."""
    with serve(tmp_path_factory.mktemp("limits"), GRPC_SERVER=request.param) as running:
        host, _, port = running.grpc.rpartition(":")
        with socket.create_connection((host, int(port))) as silent:
            yield running, silent


@pytest.fixture(scope="module")
def service(opened: tuple[Server, socket.socket]) -> Server:
    return opened[0]


class Worker:
    """The process that answers."""

    def __init__(self, server: Server) -> None:
        supervisor = psutil.Process(server.process.pid)
        self._process = max(supervisor.children(recursive=True), key=lambda one: int(one.memory_info().rss))

    @property
    def resident(self) -> int:
        return int(self._process.memory_info().rss)


@pytest.fixture(scope="module")
def worker(service: Server) -> Worker:
    return Worker(service)


@contextmanager
def good_caller(server: Server, model: PackedModel) -> Iterator[None]:
    """Ask all the time; there must be no error."""
    ended = threading.Event()
    errors: list[str] = []
    message = raw_request(model, [model.schema.example]).SerializeToString()

    def ask() -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.grpc, options=options) as channel:
            while not ended.wait(0.01):
                try:
                    channel.unary_unary(f"/{INFER}")(message, timeout=20)
                except grpc.RpcError as error:
                    errors.append(f"{error.code()} {error.details()}")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join()
    assert not errors


def ask_often(server: Server, method: str, body: bytes, times: int, at_once: int = 10, **options: Any) -> Counter[Any]:
    """Return how often each code came."""
    codes: Counter[Any] = Counter()
    limits = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.grpc, options=limits) as channel:
        ask = channel.unary_unary(f"/{method}")
        for _ in range(0, times, at_once):
            for future in [ask.future(body, **options) for _ in range(at_once)]:
                codes[future.code()] += 1  # waits
    return codes


def assert_memory_returns(worker: Worker, attack: Callable[[], object], rounds: int = 3) -> None:
    """Check that after a first round, which warms up, others leave nothing behind."""
    attack()
    before = 0
    for _ in range(rounds):
        before = before or settle(worker)
        attack()
    wait_until(lambda: worker.resident <= GROWTH * before, lambda: f"{before} → {worker.resident} bytes")


def settle(worker: Worker) -> int:
    """Return what is resident once that changes no more."""
    seen = [0, worker.resident]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and abs(seen[-1] - seen[-2]) > MIB:
        time.sleep(0.6)  # the service trims its memory 0.5 s after a large request
        seen.append(worker.resident)
    return seen[-1]


def bad_rows(model: PackedModel, rows: int) -> list[dict[str, Any]]:
    return [model.schema.example | {"scheduled_departure": "2013-13-45"}] * rows


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raw", "typed", "gzip", "another model"])
def test_large_rejected_calls_leave_nothing(service: Server, worker: Worker, model: PackedModel, kind: str) -> None:
    request = (typed_request if kind == "typed" else raw_request)(model, bad_rows(model, 1000))
    code = Code.INVALID_ARGUMENT
    if kind == "another model":
        request, code = raw_request(model, bad_rows(model, 5000)), Code.NOT_FOUND
        request.model_name = "another"
    compression = grpc.Compression.Gzip if kind == "gzip" else None
    body = request.SerializeToString()

    def attack() -> None:
        assert ask_often(service, INFER, body, 50, compression=compression)[code] == 50

    assert_memory_returns(worker, attack)


@pytest.mark.slow
def test_calls_given_up_as_their_message_comes_leave_nothing(service: Server, worker: Worker) -> None:
    body = field(1, b"another") + field(7, bytes(MIB))

    def attack() -> None:
        with grpc.insecure_channel(service.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary(f"/{INFER}")
            for number in range(60):
                asked = ask.future(body, timeout=20)
                time.sleep(0.0005 * (number % 8))
                asked.cancel()

    assert_memory_returns(worker, attack)


DENSE = {
    "inputs": (INFER, field(5, b"") * (2 * MIB)),
    "dimensions": (INFER, field(1, NAME.encode()) + field(5, field(3, b"\1" * (4 * MIB)))),
    "strings": (INFER, field(1, NAME.encode()) + field(5, field(5, field(8, b"") * (2 * MIB)))),
    "examples": (CLASSIFY, field(1, field(1, NAME.encode())) + field(2, field(1, field(1, b"") * (2 * MIB)))),
    "unknown fields": (INFER, b"\x98\x06\x00" * MIB),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DENSE)
def test_a_message_of_millions_of_fields_is_rejected_unparsed(service: Server, model: PackedModel, kind: str) -> None:
    method, body = DENSE[kind]
    with good_caller(service, model), grpc.insecure_channel(service.grpc) as channel:
        asked = channel.unary_unary(f"/{method}").future(body, timeout=20)
        assert asked.code() is Code.INVALID_ARGUMENT
    assert "the message has more than" in str(asked.details())


@pytest.mark.slow
def test_what_an_honest_message_holds_is_not_too_much(service: Server, model: PackedModel) -> None:
    rows = [model.schema.example] * 2 * MAX_MESSAGES
    assert ask_often(service, INFER, raw_request(model, rows).SerializeToString(), 1, 1) == {Code.OK: 1}
    assert ask_often(service, INFER, typed_request(model, rows).SerializeToString(), 1, 1) == {Code.OK: 1}


@pytest.mark.slow
def test_thousands_of_watchers_disturb_nobody(service: Server, worker: Worker, model: PackedModel) -> None:
    before = worker.resident
    with good_caller(service, model), ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(Http2Connection(service.grpc))
            for number in range(100):
                stream = 2 * number + 1
                connection.begin(stream, f"/{WATCH}")
                connection.send(frame(DATA, END_STREAM, stream, bytes(5)))
        assert ask_often(service, CHECK, b"", 100) == {Code.OK: 100}
        assert worker.resident < 2 * before


@pytest.mark.slow
def test_calls_without_a_message_disturb_nobody(service: Server, worker: Worker, model: PackedModel) -> None:
    before = worker.resident
    with good_caller(service, model), ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(Http2Connection(service.grpc))
            for number in range(MAX_STREAMS):
                connection.begin(2 * number + 1, f"/{INFER}")
        assert ask_often(service, CHECK, b"", 100) == {Code.OK: 100}
        assert worker.resident < 1.5 * before


@pytest.mark.slow
def test_rapid_resets_disturb_nobody(service: Server, worker: Worker, model: PackedModel) -> None:
    before = worker.resident
    block = head(f"/{INFER}")
    with good_caller(service, model), Http2Connection(service.grpc) as connection:
        for number in range(2000):
            stream = 2 * number + 1
            connection.send(frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, CANCEL))
        assert ask_often(service, CHECK, b"", 100) == {Code.OK: 100}
        assert worker.resident < 1.5 * before


@pytest.mark.slow
@pytest.mark.parametrize(("size", "code"), [(MAX_METADATA_BYTES - 1000, Code.OK), (MIB, Code.RESOURCE_EXHAUSTED)])
def test_metadata_is_bounded(request: pytest.FixtureRequest, service: Server, size: int, code: Code) -> None:
    if code is not Code.OK and request.node.callspec.params["opened"] == "native":
        code = Code.UNAVAILABLE  # zttp reads no more of a head than it announces, and ends the connection
    assert ask_often(service, CHECK, b"", 10, metadata=(("x-long", "y" * size),)) == {code: 10}


@pytest.mark.slow
def test_pings_are_answered_however_many_there_are(service: Server, model: PackedModel) -> None:
    answer, count = frame(PING, ACK, 0, bytes(8)), 5000
    with good_caller(service, model), Http2Connection(service.grpc) as connection:
        connection.begin(1, f"/{INFER}")
        for _ in range(2):  # the first may all be answered before the connection is closed
            connection.send(frame(PING, 0, 0, bytes(8)) * count)
            seen = b""
            while seen.count(answer) < count:
                seen += connection.receive() or pytest.fail("the connection was closed")


@pytest.mark.slow
def test_a_connection_that_says_nothing_is_closed(opened: tuple[Server, socket.socket]) -> None:
    silent = opened[1]
    silent.settimeout(3 * grpc_server.HANDSHAKE_S)
    while silent.recv(1024):
        pass
