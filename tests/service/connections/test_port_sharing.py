"""gRPC on the HTTP port: who gets which connection, flow control, and how they end."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
import uvicorn
import uvloop
from uvicorn.config import HTTP_PROTOCOLS

from ekiben.model.package import PackedModel
from ekiben.service.connections import port_sharing
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http_connection import UVICORN_IDLE_S
from ekiben.service.connections.http_state import HttpState, use_protocol
from ekiben.service.connections.port_sharing import ClientRelay, GrpcSocket, RelayDetector
from tests.callers import predict, triton_grpc_raw
from tests.conftest import NAME, PATIENCE_S, Server, serve, wait_until
from tests.http_client import HTTP
from tests.waiting import wait_for

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Run = Callable[[Coroutine[Any, Any, None]], None]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
MIB = 2**20


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a scenario on each kind of event loop."""
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])  # it is put back

    def run_scenario(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(scenario, 60))

    return run_scenario


class Door:
    """A uvicorn server whose HTTP/2 connections go to a Unix socket."""

    def __init__(self, server: uvicorn.Server, port: int, grpc_socket: GrpcSocket) -> None:
        self.server = server
        self.port = port
        self.grpc_socket = grpc_socket

    @property
    def connections(self) -> list[type]:
        return [type(one) for one in self.server.server_state.connections]

    async def connect(self, *sent: bytes) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for data in sent:
            writer.write(data)
            await asyncio.sleep(0.002)  # so that each arrives by itself
        return reader, writer


async def answer_http(scope: Any, receive: Any, send: Any) -> None:
    body = scope["method"].encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def open_door(serve_http2: Serve = echo, keep_alive_s: int = UVICORN_IDLE_S, **given: Any) -> AsyncIterator[Door]:
    grpc_socket = GrpcSocket()
    use_protocol(partial(RelayDetector, HttpState(**given), grpc_socket))
    inner: asyncio.AbstractServer | None = None

    def stop() -> None:
        if inner:
            inner.close()

    path = grpc_socket.open(stop).removeprefix("unix:")
    inner = await asyncio.start_unix_server(serve_http2, path)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(answer_http, lifespan="off", log_config=None, timeout_keep_alive=keep_alive_s)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        await wait_for(lambda: server.started)
        yield Door(server, port, grpc_socket)
    finally:
        server.should_exit = True
        await serving
        inner.close()
        grpc_socket.close()
        assert not Path(path).parent.exists()


def test_http_is_uvicorns_alone(run: Run) -> None:
    async def scenario() -> None:
        async with open_door() as door:
            for method in (b"GET", b"PUT", b"PROPFIND", b"P" + b"OST"):
                request = method + b" / HTTP/1.1\r\nhost: x\r\n\r\n"
                reader, writer = await door.connect(request[:1], request[1:2], request[2:])
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(len(method)) == method
                assert door.connections == [AdmissionConnection]
                writer.close()
                await wait_for(lambda: not door.connections)

    run(scenario())


def test_what_only_begins_like_http2_is_uvicorns_too(run: Run) -> None:
    async def scenario() -> None:
        async with open_door() as door:
            for nearly in (b"PRI * HTTP/2.0\r\n\r\nSX", b"PRI / HTTP/1.1\r\n\r\n", b"PRI \x16\x03\x01"):
                _, writer = await door.connect(nearly[:4])
                assert door.connections == [RelayDetector]
                writer.write(nearly[4:])
                await wait_for(lambda: RelayDetector not in door.connections)
                assert ClientRelay not in door.connections
                writer.close()
                await wait_for(lambda: not door.connections)

    run(scenario())


def test_a_preface_that_does_not_arrive_ends_its_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_sharing, "ARRIVAL_S", 0.1)

    async def scenario() -> None:
        async with open_door() as door:
            silent, first = await door.connect()
            begun, second = await door.connect(PREFACE[:5])
            whole, third = await door.connect(PREFACE)
            with ExitStack() as stack:
                for writer in (first, second, third):
                    stack.callback(writer.close)
                assert await whole.readexactly(len(PREFACE)) == PREFACE
                assert await asyncio.wait_for(begun.read(), 5) == b""
                assert not silent.at_eof()  # it may have been opened for later, and makes room when others need it

    run(scenario())


def test_a_connection_that_never_says_anything_ends_as_an_idle_one(run: Run) -> None:
    async def scenario() -> None:
        async with open_door(keep_alive_s=1) as door:
            silent, writer = await door.connect()
            assert await asyncio.wait_for(silent.read(), 30) == b""
            writer.close()

    run(scenario())


def test_silent_connections_make_room_for_others(run: Run) -> None:
    async def scenario() -> None:
        async with open_door(max_connections=20) as door:
            silent = [await door.connect() for _ in range(60)]
            reader, writer = await door.connect(PREFACE)
            with ExitStack() as stack:
                for one in (writer, *(writer for _, writer in silent)):
                    stack.callback(one.close)
                await wait_for(lambda: len(door.connections) <= 20)
                assert await reader.readexactly(len(PREFACE)) == PREFACE
                with suppress(ConnectionError):
                    assert await silent[0][0].read() == b""  # the one that was silent for longest

    run(scenario())


@pytest.mark.parametrize("pieces", [1, 2, len(PREFACE)])
def test_http2_reaches_the_socket_whole_however_it_arrives(run: Run, pieces: int) -> None:
    size = -(-len(PREFACE) // pieces)

    async def scenario() -> None:
        async with open_door() as door:
            sent = [PREFACE[start : start + size] for start in range(0, len(PREFACE), size)]
            reader, writer = await door.connect(*sent)
            assert await reader.readexactly(len(PREFACE)) == PREFACE
            assert door.connections == [ClientRelay]
            writer.write(b"more")
            assert await reader.readexactly(4) == b"more"
            writer.close()
            await wait_for(lambda: not door.connections)

    run(scenario())


def test_much_data_passes_both_ways_unchanged(run: Run) -> None:
    data = bytes(range(256)) * (8 * MIB // 256)

    async def scenario() -> None:
        async with open_door() as door:
            reader, writer = await door.connect(PREFACE + data)
            assert await reader.readexactly(len(PREFACE) + len(data)) == PREFACE + data
            writer.close()

    run(scenario())


def test_a_client_that_does_not_read_stops_the_server(run: Run) -> None:
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    await_stop = make_stall_check(lambda: written)

    async def scenario() -> None:
        async with open_door(flood) as door:
            reader, writer = await door.connect(PREFACE)
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            stopped = await await_stop()
            assert stopped < 32 * MIB  # what the kernel's buffers hold, and not all of 20 s
            reader._transport.resume_reading()  # type: ignore[attr-defined]
            await reader.readexactly(stopped + MIB)
            writer.close()
            await wait_for(lambda: not door.connections)

    run(quietly(scenario))


def test_a_server_that_does_not_read_stops_the_client(run: Run) -> None:
    go_on = asyncio.Event()
    read = 0

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await go_on.wait()
        while data := await reader.read(65536):
            read += len(data)
        writer.close()

    async def scenario() -> None:
        async with open_door(hesitate) as door:
            _, writer = await door.connect(PREFACE)
            sent = 0

            async def send() -> None:
                nonlocal sent
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536

            sending = asyncio.ensure_future(send())
            stopped = await make_stall_check(lambda: sent)()
            assert stopped < 32 * MIB
            go_on.set()
            await wait_for(lambda: read > stopped + MIB)
            sending.cancel()
            writer.close()
            await wait_for(lambda: not door.connections)

    run(quietly(scenario))


def make_stall_check(count: Callable[[], int]) -> Callable[[], Awaitable[int]]:
    """Return what waits until a count has not changed for a quarter of a second, and returns it."""

    async def wait() -> int:
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 0.25:
            await asyncio.sleep(0.01)
            if count() != last:
                last, since = count(), time.monotonic()
        return last

    return wait


async def quietly(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; that its streams are reset at its end is no news."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await scenario()


def test_when_the_server_closes_the_client_gets_the_rest_first(run: Run) -> None:
    async def say_goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PREFACE))
        writer.write(b"x" * 4 * MIB)
        writer.close()

    async def scenario() -> None:
        async with open_door(say_goodbye) as door:
            reader, writer = await door.connect(PREFACE)
            assert len(await reader.read()) == 4 * MIB
            writer.close()
            await wait_for(lambda: not door.connections)

    run(scenario())


def test_when_the_client_leaves_the_server_hears_of_it(run: Run) -> None:
    read_budget: list[bool] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        read_budget.append(True)
        writer.close()

    async def scenario() -> None:
        async with open_door(listen) as door:
            for end in (asyncio.StreamWriter.close, lambda writer: writer.transport.abort()):
                read_budget.clear()
                _, writer = await door.connect(PREFACE, b"x")
                end(writer)
                await wait_for(lambda: read_budget == [True] and not door.connections)

    run(scenario())


def test_a_missing_grpc_server_closes_the_connection(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with open_door() as door:
            door.grpc_socket.path += "-gone"
            reader, writer = await door.connect(PREFACE)
            assert await reader.read() == b""
            writer.close()
            await wait_for(lambda: not door.connections)

    run(scenario())
    assert "a gRPC connection on the HTTP port was closed" in caplog.text


def test_a_stop_closes_silent_connections_and_waits_for_the_others(run: Run) -> None:
    go_on = asyncio.Event()

    async def finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(b"done")
        writer.close()

    async def scenario() -> None:
        async with open_door(finish) as door:
            opened = [await door.connect(*sent) for sent in ((), (PREFACE[:4],), (PREFACE,))]
            silent, hesitant, asked = (reader for reader, _ in opened)
            await wait_for(
                lambda: sorted(map(str, door.connections)) == sorted(map(str, [RelayDetector] * 2 + [ClientRelay]))
            )
            door.server.should_exit = True
            assert [await silent.read(), await hesitant.read()] == [b"", b""]
            assert door.connections == [ClientRelay]
            go_on.set()
            assert await asked.read() == b"done"
            for _, writer in opened:
                writer.close()

    run(scenario())


# With the real service


@pytest.fixture(scope="module")
def shared(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that answer gRPC on the HTTP port too."""
    with serve(tmp_path_factory.mktemp("shared"), GRPC_ON_MAIN_PORT="1", WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count("is ready") == 2)
        yield server


def check_health(address: str, service: bytes = b"", timeout_s: float = 10) -> bytes:
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        length = len(service)
        varint = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14 & 127 | 128, length >> 21])
        message = b"\x0a" + varint + service if service else b""
        answered: bytes = channel.unary_unary("/grpc.health.v1.Health/Check")(message, timeout=timeout_s)
        return answered


@pytest.mark.slow
def test_both_ports_answer_grpc_and_one_http(shared: Server) -> None:
    main = shared.url.removeprefix("http://")
    with ThreadPoolExecutor(8) as pool:
        checks = [pool.submit(check_health, address) for address in (main, shared.grpc) * 20]
        pages = [pool.submit(HTTP.get, f"{shared.url}/livez") for _ in range(20)]
        assert {check.result() for check in checks} == {b"\x08\x01"}
        assert {page.result().status_code for page in pages} == {200}


@pytest.mark.slow
def test_both_ports_predict_the_same(shared: Server, model: PackedModel) -> None:
    rows = [dict(model.schema.example)] * 3
    main = Server(shared.url, shared.url.removeprefix("http://"), shared.process, shared.log)
    wanted = predict(shared, model.schema, rows)
    assert triton_grpc_raw(main, model.schema, rows) == wanted
    assert triton_grpc_raw(shared, model.schema, rows) == wanted  # its own port answers too
    with triton_grpc.InferenceServerClient(main.grpc) as client:
        big = triton_grpc.InferInput("x", [300_000, 1], "FP32")
        big.set_data_from_numpy(np.zeros((300_000, 1), np.float32))
        with pytest.raises(Exception, match="300000 rows are more than"):
            client.infer(NAME, [big])


@pytest.mark.slow
@pytest.mark.parametrize(("size", "code"), [(8_000_000, "NOT_FOUND"), (9_000_000, "RESOURCE_EXHAUSTED")])
def test_large_messages_keep_their_limit(shared: Server, size: int, code: str) -> None:
    with pytest.raises(grpc.RpcError) as rejected:
        check_health(shared.url.removeprefix("http://"), b"x" * size)
    assert rejected.value.code().name == code


@pytest.mark.slow
def test_connections_that_end_leave_nothing_open(shared: Server) -> None:
    main = shared.url.removeprefix("http://")
    workers = psutil.Process(shared.process.pid).children(recursive=True)

    def count_files() -> int:
        return sum(worker.num_fds() for worker in workers)

    check_health(main)
    before = count_files()
    for _ in range(30):
        check_health(main)
        with socket.create_connection(main.split(":")) as read_budget:  # type: ignore[arg-type]
            read_budget.sendall(PREFACE)
    wait_until(lambda: count_files() < before + 5)  # the service opens a file now and then


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_calls_on_the_main_port_in_order(model: PackedModel, tmp_path: Path, workers: str) -> None:
    with serve(tmp_path, GRPC_ON_MAIN_PORT="1", WORKERS=workers, DRAIN_DELAY_S="1") as server:
        codes: list[grpc.StatusCode | None] = []
        stop = threading.Event()

        def keep_asking(channel: grpc.Channel) -> None:
            ask = channel.unary_unary("/grpc.health.v1.Health/Check")
            while not stop.is_set():
                try:
                    ask(b"\x0a\x08liveness", timeout=PATIENCE_S)
                    codes.append(None)
                except grpc.RpcError as error:
                    codes.append(error.code())
                    stop.set()

        main = server.url.removeprefix("http://")
        with grpc.insecure_channel(main) as busy, grpc.insecure_channel(main) as idle, httpx.Client() as client:
            idle.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE_S)
            client.get(f"{server.url}/livez")
            asking = threading.Thread(target=keep_asking, args=[busy])
            asking.start()
            wait_until(lambda: len(codes) > 20)
            began = time.monotonic()
            server.process.terminate()
            assert server.process.wait(timeout=PATIENCE_S) == 0
            assert 1 <= time.monotonic() - began < 6
            stop.set()
            asking.join()
    assert set(codes[:-1]) == {None}
    # Once nobody listens any more; or gRPC's core ended a call that crossed its goodbye on the wire.
    assert codes[-1] in (None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_an_interrupt_does_not_wait_for_open_channels(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, GRPC_ON_MAIN_PORT="1", DRAIN_DELAY_S="0") as server, ExitStack() as stack:
        main = server.url.removeprefix("http://")
        watching = stack.enter_context(grpc.insecure_channel(main)).unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watching) == b"\x08\x01"
        for worker in psutil.Process(server.process.pid).children():
            worker.send_signal(signal.SIGINT)  # as a terminal does: to all of them
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=9) in (0, 130, -signal.SIGINT)
