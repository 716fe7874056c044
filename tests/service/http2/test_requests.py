"""Ordinary requests over HTTP/2: the same answers as over HTTP/1.1, to clients that others have written."""

import asyncio
import shutil
from typing import Any

import httpx
import pytest

from tests.http2_server import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST,
    begin_post,
    echo,
    frame,
    get,
    head,
    post,
    serve,
)  # fmt: skip
from tests.uvicorn_server import run

OF_THE_FRAMING = ("date", "connection", "transfer-encoding", "content-length")
LARGE = bytes(range(256)) * 12_000  # 3 MB


def clients(port: int) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Return a client of HTTP/1.1, and one of HTTP/2."""
    url = f"http://127.0.0.1:{port}"
    return (
        httpx.AsyncClient(base_url=url, timeout=30),
        httpx.AsyncClient(base_url=url, timeout=30, http1=False, http2=True),
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/plain", b""), ("GET", "/a%20b?c=%41", b""), ("POST", "/", b"small"), ("POST", "/", LARGE),
        ("HEAD", "/plain", b""), ("GET", "/nothing", b""), ("GET", "/chunks", b""), ("GET", "/large/3000000", b""),
        ("GET", "/fails", b""), ("OPTIONS", "/", b""), ("DELETE", "/x", b""),
    ],
)  # fmt: skip
def test_both_versions_answer_the_same(method: str, path: str, body: bytes) -> None:
    async def scenario() -> None:
        async with serve() as served:
            answers = []
            for client in clients(served.port):
                async with client:
                    answers.append(await client.request(method, path, content=body or None))
            first, second = answers
            assert (first.http_version, second.http_version) == ("HTTP/1.1", "HTTP/2")
            assert (first.status_code, first.content) == (second.status_code, second.content)
            both = [{k: v for k, v in one.headers.items() if k not in OF_THE_FRAMING}
                    for one in answers]  # fmt: skip
            assert both[0] == both[1]

    run(scenario())


def test_many_requests_share_a_connection_and_none_is_mixed_up() -> None:
    async def scenario() -> None:
        async with serve() as served, clients(served.port)[1] as client:
            bodies = [b"%d " % number * (number * 97 % 5000 + 1) for number in range(300)]
            answers = await asyncio.gather(*(client.post("/", content=body) for body in bodies))
            assert [answer.content for answer in answers] == bodies
            assert served.count_connections() == 1

    run(scenario())


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("options", [[], ["-d", "abc"], ["-d", "abc", "-H", "expect: 100-continue"], ["-I"]])
def test_curl_is_answered(options: list[str]) -> None:
    async def scenario() -> None:
        async with serve() as served:
            answers = []
            for version in ("--http1.1", "--http2-prior-knowledge"):
                url = f"http://127.0.0.1:{served.port}/hello"
                process = await asyncio.create_subprocess_exec(
                    "curl", "-s", "-S", "-w", "%{http_code}", "-m", "30", version, *options, url,
                    stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                answers.append((await process.communicate())[0])
                assert process.returncode == 0
            if "-I" not in options:
                assert answers[0] == answers[1] == (b"abc200" if options else b"/hello200")
            else:
                assert [b"content-length: 6" in one for one in answers] == [True, True]

    run(scenario())


def test_a_body_that_is_waited_for_is_asked_for() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1, b"/", (b"expect", b"100-continue")))
            await client.wait(HEADERS, 1)
            assert client.heads[1][0] == [(":status", "100")]
            client.send(frame(DATA, END_STREAM, 1, b"now"))
            assert await client.finish(1) == (200, b"now")
            client.send(begin_post(3, b"/", (b"expect", b"100-continue")) + frame(DATA, END_STREAM, 3, b"already"))
            assert await client.finish(3) == (200, b"already")
            assert len(client.heads[3]) == 1  # nobody was asked for what was there

    run(scenario())


def test_crumbs_of_a_cookie_are_joined() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(get(1, b"/", (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")))
            await client.finish(1)
            assert ("x-seen", "a=1; b=2") in client.heads[1][0]
            assert "connection" not in dict(client.heads[1][0])

    run(scenario())


def test_a_request_to_no_host_is_rejected_and_the_next_answered() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head(without=b":authority")))
            status, body = await client.finish(1)
            assert (status, body) == (400, b'{"error": "not a valid HTTP request: expected one Host header, got 0"}')
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, head((b"host", b"a"), without=b":authority")))
            assert await client.finish(3) == (200, b"/")

    run(scenario())


def test_an_answer_that_breaks_off_resets_its_stream_alone() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(get(1, b"/breaks"), post(3, b"other"))
            assert (await client.wait(RST, 1)).code == 2
            assert await client.finish(3) == (200, b"other")

    run(scenario())


def test_an_early_answer_is_read_whole_and_the_rest_of_the_body_thrown_away() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"big"})

    async def scenario() -> None:
        async with serve(early) as served, served.connect() as client:
            client.send(begin_post(1))
            assert await client.finish(1) == (413, b"big")
            for _ in range(20):
                client.send(frame(DATA, 0, 1, bytes(10_000)))
            client.send(frame(DATA, END_STREAM, 1), get(3))
            assert await client.finish(3) == (413, b"big")
            assert not client.find(RST)
            assert served.shared.budget.taken == 0

    run(scenario())


def test_a_caller_who_resets_is_noticed() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            await echo(scope, receive, send)
            return
        asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async def scenario() -> None:
        async with serve(wait) as served, served.connect() as client:
            client.send(get(1, b"/wait"))
            await asyncio.wait_for(asked.wait(), 30)
            client.send(frame(RST, 0, 1, (8).to_bytes(4, "big")))
            await asyncio.wait_for(gone.wait(), 30)
            client.send(get(3))
            assert await client.finish(3) == (200, b"/")

    run(scenario())
