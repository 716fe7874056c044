"""Streams of answers: sent as they come, ended by a status, given up with their caller, and few at once."""

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ekiben.service.grpc.answer_stream import MAX_UNDER_WAY
from ekiben.service.grpc.health import MAX_WATCHERS
from ekiben.service.protos import message
from tests.doubling import POISON, Doubling
from tests.uvicorn_server import request, serve
from tests.waiting import wait_for
from tests.web_service import OIP, Service, counted, infer_request, open_service, read_doubles

STREAM_INFER = f"{OIP}/ModelStreamInfer"
WATCH = b"/grpc.health.v1.Health/Watch"
ASKED = {
    "application/connect+json": b"\0\0\0\0\2{}",
    "application/connect+proto": b"\0\0\0\0\0",
    "application/grpc-web+proto": b"\0\0\0\0\0",
}
SERVING = {
    "application/connect+json": b'{"status": "SERVING"}',
    "application/connect+proto": b"\x08\1",
    "application/grpc-web+proto": b"\x08\1",
}
UNAVAILABLE = {
    "application/connect+json": (2, b'"code": "unavailable"'),
    "application/connect+proto": (2, b'"code": "unavailable"'),
    "application/grpc-web+proto": (0x80, b"grpc-status: 14\r\n"),
}


def run(scenario: Callable[[Service, int], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with open_service(**options) as service, serve(service.app) as server:
            await scenario(service, server.port)
            service.methods.health.end()
            for watcher in watchers:
                await watcher.close()

    watchers.clear()
    asyncio.run(main())


class Watcher:
    """A connection that watches."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def read_head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def read(self) -> tuple[int, bytes]:
        """The next envelope, each of which is a chunk."""
        size = int((await self._reader.readline()).strip(), 16)
        chunk = await self._reader.readexactly(size + 2)
        assert int.from_bytes(chunk[1:5], "big") == size - 5
        return chunk[0], chunk[5:-2]


async def watch(port: int, kind: str, body: bytes | None = None) -> Watcher:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(b"POST", WATCH, ASKED[kind] if body is None else body, b"content-type: " + kind.encode()))
    watchers.append(Watcher(reader, writer))
    return watchers[-1]


watchers: list[Watcher] = []  # of the test that runs


@pytest.mark.parametrize("kind", ASKED)
def test_a_change_is_told_and_the_end_too(kind: str) -> None:
    async def scenario(service: Service, port: int) -> None:
        watcher = await watch(port, kind)
        assert b"content-type: " + kind.encode() in await watcher.read_head()
        assert await watcher.read() == (0, SERVING[kind])
        service.methods.health.stop_being_ready()
        assert (await watcher.read())[0] == 0
        service.methods.health.end()
        flags, content = await watcher.read()
        expected, said = UNAVAILABLE[kind]
        assert (flags, said in content) == (expected, True)

    run(scenario)


def test_a_watcher_who_goes_leaves_its_place() -> None:
    async def scenario(service: Service, port: int) -> None:
        kind = "application/connect+proto"
        first = [await watch(port, kind) for _ in range(MAX_WATCHERS)]
        for watcher in first:
            await watcher.read_head()
        late = await watch(port, kind)
        await late.read_head()
        flags, content = await late.read()
        assert (flags, json.loads(content)["error"]["code"]) == (2, "resource_exhausted")
        for watcher in first:
            await watcher.close()

        async def is_let_in() -> bool:
            again = await watch(port, kind)
            await again.read_head()
            flags, _ = await again.read()
            await again.close()
            return flags == 0

        async with asyncio.timeout(60):
            while not await is_let_in():
                await asyncio.sleep(0.01)

    run(scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\0\0\0\0\5{}", "invalid_argument"),
        (b"\0\0\0\0\1{", "invalid_argument"),
        (b"\1\0\0\0\2{}", "unimplemented"),
        (b"\0\0\0\x20\0" + b" " * 8192, "resource_exhausted"),
    ],
)
def test_a_wrong_question_ends_the_stream(body: bytes, code: str) -> None:
    async def scenario(service: Service, port: int) -> None:
        watcher = await watch(port, "application/connect+json", body)
        assert b"200 OK" in await watcher.read_head()
        flags, content = await watcher.read()
        assert (flags, json.loads(content)["error"]["code"]) == (2, code)

    run(scenario)


def test_the_body_of_a_stream_without_the_token_is_not_read() -> None:
    async def receive() -> Any:
        raise AssertionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        async with open_service(token="secret") as service:
            path = STREAM_INFER
            headers = [(b"content-type", b"application/connect+proto"), (b"content-encoding", b"gzip")]
            about = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
            await service.app(about | {"headers": headers}, receive, send)

    asyncio.run(main())
    assert b'"code": "unauthenticated"' in sent[-1]["body"]


def test_the_watched_need_no_token_but_reflection_does() -> None:
    async def scenario(service: Service, port: int) -> None:
        watcher = await watch(port, "application/connect+json")
        await watcher.read_head()
        assert await watcher.read() == (0, SERVING["application/connect+json"])
        service.methods.health.end()
        reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        answered = await service.client.post(
            reflection, content=b"\0\0\0\0\2{}", headers={"content-type": "application/connect+json"}
        )
        assert json.loads(answered.content[5:])["error"]["code"] == "unauthenticated"
        listed = await service.client.post(
            reflection,
            content=b'\0\0\0\0\x13{"listServices":""}',
            headers={"content-type": "application/connect+json", "authorization": "Bearer secret"},
        )
        assert b"inference.GRPCInferenceService" in listed.content
        await wait_for(lambda: service.budget.taken == 0)

    run(scenario, token="secret")


def test_a_stream_of_requests_is_answered_in_their_order() -> None:
    async def scenario(service: Service, port: int) -> None:
        requests = [infer_request(number) for number in (1, 2, POISON, 4)]
        body = b"".join(pack(request.SerializeToString()) for request in requests)
        answered = await service.client.post(
            STREAM_INFER, content=body, headers={"content-type": "application/connect+proto"}
        )
        *answers, (flags, end) = unpack(answered.content)
        assert (flags, json.loads(end)) == (2, {})
        read = [message("inference.ModelStreamInferResponse").FromString(content) for _, content in answers]
        assert [one.error_message != "" for one in read] == [False, False, True, False]
        doubles = [read_doubles(one.infer_response.SerializeToString()) for one in read if not one.error_message]
        assert doubles == [[2], [4], [8]]

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "label"), [("application/connect+proto", "connect"), ("application/grpc-web+proto", "grpc_web")]
)
def test_its_requests_are_counted_and_logged_as_calls_of_that_kind(
    kind: str, label: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(service: Service, port: int) -> None:
        before = counted(f"open_inference_{label}", "OK"), counted("open_inference_grpc", "OK")
        body = b"".join(pack(infer_request(number).SerializeToString()) for number in (1, 2))
        with caplog.at_level(logging.INFO):
            await service.client.post(STREAM_INFER, content=body, headers={"content-type": kind})
        after = counted(f"open_inference_{label}", "OK"), counted("open_inference_grpc", "OK")
        assert after == (before[0] + 2, before[1])

    run(scenario, access_log_sample=1)
    logged = [record.short for record in caplog.records if hasattr(record, "short")]
    assert logged == [f"gRPC {STREAM_INFER} OK"] * 3  # two requests, and the stream


def test_one_that_is_rejected_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(service: Service, port: int) -> None:
        before = counted("open_inference_connect", "INVALID_ARGUMENT")
        kind = {"content-type": "application/connect+proto"}
        with caplog.at_level(logging.INFO):
            await service.client.post(STREAM_INFER, content=b"\0\0\0\0\7ends", headers=kind)
        assert counted("open_inference_connect", "INVALID_ARGUMENT") == before + 1

    run(scenario, access_log_sample=1)
    assert f"gRPC {STREAM_INFER} INVALID_ARGUMENT" in [getattr(record, "short", "") for record in caplog.records]


@pytest.mark.parametrize(
    ("kind", "said", "end"),
    [
        ("application/connect+json", b"connect-timeout-ms: 200", b"deadline_exceeded"),
        ("application/grpc-web+proto", b"grpc-timeout: 200m", b"grpc-status: 4"),
    ],
)
def test_a_stream_ends_at_its_callers_deadline(kind: str, said: bytes, end: bytes) -> None:
    async def scenario(service: Service, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(b"POST", WATCH, ASKED[kind], b"content-type: " + kind.encode(), said))
        watcher = Watcher(reader, writer)
        watchers.append(watcher)
        await watcher.read_head()
        frames = [await watcher.read()]
        while not frames[-1][0]:
            frames.append(await watcher.read())
        assert end in frames[-1][1]

    run(scenario)


def test_no_request_goes_on_once_its_caller_has_gone() -> None:
    engine = Doubling(seconds=0.01)  # slow enough for a thread of its own

    async def scenario(service: Service, port: int) -> None:
        before = len(asyncio.all_tasks())
        engine.seconds, engine.gate = 0.0, threading.Event()
        body = b"".join(pack(infer_request(number).SerializeToString()) for number in range(2 * MAX_UNDER_WAY + 4))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(b"POST", STREAM_INFER.encode(), body, b"content-type: application/connect+proto"))
        await wait_for(lambda: len(asyncio.all_tasks()) > before + MAX_UNDER_WAY)
        writer.transport.abort()
        await wait_for(lambda: len(asyncio.all_tasks()) <= before)
        assert service.budget.taken == 0
        engine.gate.set()

    run(scenario, engine=engine)


def pack(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4, "big") + content


def unpack(body: bytes) -> list[tuple[int, bytes]]:
    envelopes, at = [], 0
    while at < len(body):
        end = at + 5 + int.from_bytes(body[at + 1 : at + 5], "big")
        envelopes.append((body[at], body[at + 5 : end]))
        at = end
    return envelopes
