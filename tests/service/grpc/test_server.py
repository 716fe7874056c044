"""What every gRPC method shares: limits, errors, deadlines, cancellation, health and reflection."""

import asyncio
import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client import REGISTRY

from ekiben.model.package import PackedModel
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.errors import BadRequest
from ekiben.service.grpc import health
from ekiben.service.grpc.health import STATUS, ListRequest, ListResponse, Request, Response
from ekiben.service.grpc.reflection import SERVICES as REFLECTION
from ekiben.service.protocols.protocol import Call
from ekiben.service.telemetry import metrics
from tests.conftest import PATIENCE_S, Server, free_port, run, serve, wait_until
from tests.doubling import Doubling, ask, rows
from tests.doubling import serve as serve_dataplane
from tests.grpc_server import ECHO, MAX_BYTES, Code, call, echo, open_server, rejected
from tests.waiting import wait_for


def counted(code: Code) -> float:
    metrics.flush()
    labels = {"protocol": "echo_grpc", "code": code.name}
    return REGISTRY.get_sample_value("ekiben_inference_requests_total", labels) or 0.0


def raw_call(path: str, **headers: str) -> bytes:
    """Return the bytes of a connection that makes one call with an empty message."""
    given = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
    given |= {"content-type": "application/grpc"} | headers
    block = b"".join(
        bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in given.items()
    )

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    return PREFACE + frame(4, 0, 0) + frame(1, 4, 1, block) + frame(0, 1, 1, b"\0" * 5)


def test_a_call_is_answered_and_counted() -> None:
    async def main() -> None:
        before = counted(Code.OK)
        async with open_server(echo) as (channel, _):
            message = Request(service="a").SerializeToString()
            assert await call(channel, message) == message
        assert counted(Code.OK) == before + 1

    asyncio.run(main())


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_that_is_too_large_is_rejected(compression: grpc.Compression) -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, _):
            fitting = Request(service="x" * (MAX_BYTES - 3)).SerializeToString()
            assert await call(channel, fitting, compression=compression) == fitting
            large = Request(service="x" * 100 * MAX_BYTES).SerializeToString()  # gzip makes it 1 KB
            error = await rejected(channel, large, compression=compression)
            assert error.code() is Code.RESOURCE_EXHAUSTED
            assert "larger than max" in str(error.details())

    asyncio.run(main())


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"GET / HTTP/1.1"])
def test_a_message_that_is_not_protobuf_is_rejected(body: bytes) -> None:
    async def main() -> None:
        before = counted(Code.INVALID_ARGUMENT)
        async with open_server(echo) as (channel, _):
            error = await rejected(channel, body)
        sentence = "the message is not of this method's type: its protobuf can't be read"
        assert (error.code(), error.details()) == (Code.INVALID_ARGUMENT, sentence)
        assert counted(Code.INVALID_ARGUMENT) == before + 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (f"{ECHO}/Aks", "tests.Echo/Aks is not served here; did you mean `Ask`?"),
        (f"{ECHO}/Nothing", "tests.Echo/Nothing is not served here: there are Ask, Probe"),
        ("tests.Ecco/Ask", "tests.Ecco/Ask is not served here; did you mean `tests.Echo`?"),
        ("x", "x is not served here: there are tests.Echo"),
        ("x" * 1000, "x" * 80 + "… is not served here: there are tests.Echo"),
    ],
)
def test_an_unknown_method_is_unimplemented_and_what_there_is_is_told(method: str, sentence: str) -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, _):
            error = await rejected(channel, b"", method)
            assert (error.code(), error.details()) == (Code.UNIMPLEMENTED, sentence)
        async with open_server(echo, token="secret") as (channel, _):
            assert (await rejected(channel, b"", method)).code() is Code.UNAUTHENTICATED

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, Code.INVALID_ARGUMENT), (404, Code.NOT_FOUND), (413, Code.INVALID_ARGUMENT), (429, Code.RESOURCE_EXHAUSTED)],
)
def test_an_error_keeps_its_sentence_whatever_it_holds(status: int, code: Code) -> None:
    sentence = "`wärme`: expected a number, got '\ud800' " + "温" * 5000

    async def reject(request: Any, call: Call) -> Any:
        raise BadRequest(status, sentence)

    async def main() -> None:
        async with open_server(reject) as (channel, _):
            error = await rejected(channel)
        assert error.code() is code
        assert str(error.details()).startswith("`wärme`: expected a number, got '\\ud800' 温温")
        assert str(error.details()).endswith("温...")  # clients reject trailers of more than 8 KB

    asyncio.run(main())


def test_an_unexpected_error_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Any, call: Call) -> Any:
        raise KeyError("secret")

    async def main() -> None:
        async with open_server(fail) as (channel, _):
            error = await rejected(channel)
        assert (error.code(), error.details()) == (Code.INTERNAL, "the service failed: its log says why")

    asyncio.run(main())
    (said, line) = [record.message for record in caplog.records]
    assert said.startswith(f"unexpected KeyError at gRPC /{ECHO}/")
    assert " INTERNAL " in line


def test_a_callers_deadline_is_what_the_method_gets() -> None:
    given: list[float] = []

    async def answer(request: Any, call: Call) -> Any:
        given.append(call.timeout_s)
        return request

    async def main() -> None:
        async with open_server(answer, request_timeout_s=7.0) as (channel, _):
            await call(channel, timeout=3)
            await call(channel)

    asyncio.run(main())
    assert 2 < given[0] < 3.1  # gRPC rounds up
    assert given[1] == 7


async def send_raw(address: str, **headers: str) -> bytes:
    """Make a call as no client would; return what comes back within a quarter of a second."""
    reader, writer = await asyncio.open_unix_connection(address)
    writer.write(raw_call(f"/{ECHO}/Ask", **headers))
    received = b""
    try:
        async with asyncio.timeout(0.25):
            while chunk := await reader.read(65536):
                received += chunk
    except TimeoutError:
        pass
    writer.close()
    return received


@pytest.mark.parametrize(("timeout", "status", "asked"), [("5S", b"0", 1), ("0n", b"4", 0)])
def test_a_call_whose_deadline_is_past_is_not_begun(timeout: str, status: bytes, asked: int, tmp_path: Path) -> None:
    given: list[Any] = []

    async def answer(request: Any, call: Call) -> Any:
        given.append(request)
        return request

    async def main() -> None:
        async with open_server(answer, f"unix:{tmp_path}/grpc"):
            received = await send_raw(f"{tmp_path}/grpc", **{"grpc-timeout": timeout})
            assert b"grpc-status\x01" + status in received
        assert len(given) == asked

    asyncio.run(main())


def test_a_cancelled_call_ends_its_work_and_is_counted_so(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def wait(request: Any, call: Call) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        before = counted(Code.CANCELLED), counted(Code.OK)
        async with open_server(wait) as (channel, _):
            asked = channel.unary_unary(f"/{ECHO}/Ask")(b"")
            await begun.wait()
            asked.cancel()
            await asyncio.wait_for(ended.wait(), 5)
            await wait_for(lambda: counted(Code.CANCELLED) == before[0] + 1)
            with suppress(asyncio.CancelledError):  # grpcio's client must have heard of it before its loop is closed
                await asked
        assert counted(Code.OK) == before[1]

    asyncio.run(main())
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    # grpcio's client may still hear of calls of tests before, whose loops are closed.
    assert not [error for error in errors if "PollerCompletionQueue" not in error]


def test_a_call_given_up_at_its_deadline_is_counted_so() -> None:
    async def wait(request: Any, call: Call) -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        before = counted(Code.DEADLINE_EXCEEDED)
        async with open_server(wait) as (channel, _):
            assert (await rejected(channel, timeout=0.1)).code() is Code.DEADLINE_EXCEEDED
            await wait_for(lambda: counted(Code.DEADLINE_EXCEEDED) == before + 1)

    asyncio.run(main())


def test_rows_of_a_cancelled_call_are_not_computed() -> None:
    engine = Doubling(seconds=0.01)

    async def scenario(dataplane: Any) -> None:
        async def predict(request: Any, call: Call) -> Any:
            await dataplane.predict(rows(2, 3, 4), call.timeout_s, "echo_grpc")

        labels = {"protocol": "echo_grpc", "reason": "cancelled"}
        before = REGISTRY.get_sample_value("ekiben_inference_rejected_total", labels) or 0.0
        async with open_server(predict) as (channel, _):
            first = asyncio.ensure_future(ask(dataplane, rows(1)))
            await wait_for(lambda: len(engine.batches) > 0)
            engine.seconds = 0.3
            second = asyncio.ensure_future(ask(dataplane, rows(1)))  # occupies the engine
            await first
            await wait_for(lambda: len(engine.batches) == 2)
            left = channel.unary_unary(f"/{ECHO}/Ask")(b"")
            await wait_for(lambda: dataplane.queue.waiting_rows == 3)
            left.cancel()

            def rejected() -> float | None:
                metrics.flush()
                return REGISTRY.get_sample_value("ekiben_inference_rejected_total", labels)

            await wait_for(lambda: rejected() == before + 1)
            await second
            await ask(dataplane, rows(1))
        assert engine.batches == [1, 1, 1]

    serve_dataplane(engine, scenario)


def test_without_the_token_only_probes_are_answered() -> None:
    async def main() -> None:
        before = counted(Code.UNAUTHENTICATED)
        async with open_server(echo, token="s3cret") as (channel, _):
            for metadata, said in [
                ((), "is missing"),
                ((("authorization", "Bearer wrong"),), "is wrong"),
                ((("authorization", "s3cret"),), "is wrong"),
                ((("authorization", "Bearer s3cret"),) * 2, "was sent more than once"),
            ]:
                error = await rejected(channel, metadata=metadata)
                assert error.code() is Code.UNAUTHENTICATED
                assert error.details() == f"the bearer token {said}: send the header `Authorization: Bearer …`"
                assert ("www-authenticate", "Bearer") in tuple(error.trailing_metadata())
            assert counted(Code.UNAUTHENTICATED) == before + 4
            await call(channel, metadata=(("authorization", "bearer s3cret"),))
            await call(channel, b"", f"{ECHO}/Probe")
            await call(channel, b"", f"{health.SERVICE}/Check")
            for name in REFLECTION:
                reflect = channel.stream_stream(f"/{name}/ServerReflectionInfo")
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    _ = [response async for response in reflect(iter([b""]))]
                assert caught.value.code() is Code.UNAUTHENTICATED
                allowed = reflect(iter([b""]), metadata=(("authorization", "Bearer s3cret"),))
                assert len([response async for response in allowed]) == 1

    asyncio.run(main())


NAMES = ("", "liveness", "readiness", health.SERVICE, ECHO)


def test_health_answers_for_the_server_each_service_and_kubernetes_names() -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, server):

            async def check(name: str) -> int:
                asked = Request(service=name).SerializeToString()
                return int(Response.FromString(await call(channel, asked, f"{health.SERVICE}/Check")).status)

            async def list_all() -> dict[str, int]:
                listed = await call(channel, ListRequest().SerializeToString(), f"{health.SERVICE}/List")
                return {name: one.status for name, one in ListResponse.FromString(listed).statuses.items()}

            assert {name: await check(name) for name in NAMES} == dict.fromkeys(NAMES, STATUS["SERVING"])
            assert await list_all() == dict.fromkeys(NAMES, STATUS["SERVING"])
            server.stop_being_ready()
            draining = {name: STATUS["SERVING" if name == "liveness" else "NOT_SERVING"] for name in NAMES}
            assert {name: await check(name) for name in NAMES} == draining
            assert await list_all() == draining
            unknown = await rejected(channel, Request(service="nobody").SerializeToString(), f"{health.SERVICE}/Check")
            assert unknown.code() is Code.NOT_FOUND
            assert "ask for none or liveness" in str(unknown.details())

    asyncio.run(main())


def test_watchers_hear_of_each_change_whoever_else_leaves() -> None:
    async def main() -> None:
        async with open_server(echo) as (channel, server):

            def watch(name: str) -> Any:
                watching = channel.unary_stream(f"/{health.SERVICE}/Watch", response_deserializer=Response.FromString)
                return watching(Request(service=name).SerializeToString())

            staying, leaving, unknown = watch(ECHO), watch(ECHO), watch("nobody")
            assert [(await one.read()).status for one in (staying, leaving)] == [STATUS["SERVING"]] * 2
            assert (await unknown.read()).status == STATUS["SERVICE_UNKNOWN"]
            leaving.cancel()
            await call(channel)  # by now the server knows
            server.stop_being_ready()
            assert (await staying.read()).status == STATUS["NOT_SERVING"]
            server.stop(5)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await staying.read()
            assert caught.value.code() is Code.UNAVAILABLE

    asyncio.run(main())


def test_a_stop_lets_calls_finish_and_takes_no_new_ones(kind: str) -> None:
    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def answer(request: Any, call: Call) -> Any:
            begun.set()
            await go_on.wait()
            return request

        async with open_server(answer) as (channel, server):
            asked = asyncio.ensure_future(call(channel, b"\x0a\x01a"))
            await begun.wait()
            stopping = server.stop(10)
            assert server.stop(0) is stopping  # what was said first counts
            await asyncio.sleep(0)  # the stop begins
            crossing = await ask_until_unavailable(channel, kind)
            assert (await rejected(channel)).code() is Code.UNAVAILABLE
            go_on.set()
            assert await asked == b"\x0a\x01a"
            assert await asyncio.gather(*crossing) == [b""] * len(crossing)
            await asyncio.wait_for(stopping, 5)

    asyncio.run(main())


async def ask_until_unavailable(channel: Any, kind: str) -> list["asyncio.Future[bytes]"]:
    """Ask until the client has read the goodbye; return the calls that crossed it on the wire and were taken."""
    crossing = []
    async with asyncio.timeout(5):
        while True:
            asked = asyncio.ensure_future(call(channel))
            await asyncio.wait((asked,), timeout=0.2)
            if not asked.done():
                crossing.append(asked)
                continue
            error = asked.exception()
            assert isinstance(error, grpc.aio.AioRpcError)
            if error.code() is Code.UNAVAILABLE:
                return crossing
            assert (kind, error.code()) == ("grpcio", Code.CANCELLED)  # by gRPC's core; ours answers them


def read_reflected(address: str) -> tuple[list[str], DescriptorPool]:
    """Return the services a server lists, and a pool that asks it for what it doesn't know."""
    database = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(address))
    return sorted(database.get_services()), DescriptorPool(database)


@pytest.mark.slow
def test_reflection_describes_every_service_well_enough_to_call_it(server: Server) -> None:
    names, pool = read_reflected(server.grpc)
    assert names == [
        "ekiben.v1.Feedback",
        "grpc.health.v1.Health",
        "inference.GRPCInferenceService",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    ]
    for name in names:
        assert pool.FindServiceByName(name).methods
    for name, method in (("grpc.health.v1.Health", "Check"), ("inference.GRPCInferenceService", "ServerMetadata")):
        described = pool.FindServiceByName(name).FindMethodByName(method)
        answered = GetMessageClass(described.output_type)
        with grpc.insecure_channel(server.grpc) as channel:
            ask = channel.unary_unary(f"/{name}/{method}", response_deserializer=answered.FromString)
            assert str(ask(GetMessageClass(described.input_type)().SerializeToString()))


@pytest.mark.slow
@pytest.mark.parametrize("version", REFLECTION)
def test_both_versions_of_reflection_answer(server: Server, version: str) -> None:
    asked = reflection_pb2.ServerReflectionRequest
    requests = [asked(list_services=""), asked(file_containing_symbol="no.Such"), asked()]
    with grpc.insecure_channel(server.grpc) as channel:
        reflect = channel.stream_stream(
            f"/{version}/ServerReflectionInfo",
            asked.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        listed, missing, nonsense = reflect(iter(requests))
    assert len(listed.list_services_response.service) == 5
    assert missing.error_response.error_code == Code.NOT_FOUND.value[0]
    assert nonsense.error_response.error_code == Code.INVALID_ARGUMENT.value[0]


@pytest.mark.slow
def test_workers_share_the_port(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> None:
    with serve(tmp_path_factory.mktemp("workers"), WORKERS="2") as server:
        port = int(server.grpc.rpartition(":")[2])

        def listens(process: psutil.Process) -> bool:
            return any(one.status == "LISTEN" and one.laddr.port == port for one in process.net_connections())

        def listening() -> int:
            return sum(map(listens, psutil.Process(server.process.pid).children(recursive=True)))

        wait_until(lambda: listening() == 2, lambda: f"{listening()} listen")  # one is ready before the other
        for _ in range(8):  # each a connection of its own
            with grpc.insecure_channel(server.grpc) as channel:
                channel.unary_unary(f"/{health.SERVICE}/Check")(b"", timeout=PATIENCE_S)


@pytest.mark.slow
def test_a_taken_port_is_named(model: PackedModel) -> None:
    port = free_port()
    with socket.socket() as other:
        other.bind(("0.0.0.0", port))
        other.listen()
        rejected = run("-m", "bentoml", "serve", "--port", str(free_port()), fails=True, GRPC_PORT=str(port))
    assert f"port {port} can't be used (Address already in use): choose another with GRPC_PORT=…" in rejected.stderr
    assert "Traceback" not in rejected.stderr


@pytest.mark.slow
def test_one_port_for_both_is_rejected_and_the_switch_named(model: PackedModel) -> None:
    port = str(free_port())
    rejected = run("-m", "bentoml", "serve", "--port", port, fails=True, GRPC_PORT=port)
    assert f"HTTP and gRPC can't both have port {port}: set another GRPC_PORT=…" in rejected.stderr
    assert "GRPC_ON_MAIN_PORT=1" in rejected.stderr
    assert "Traceback" not in rejected.stderr
