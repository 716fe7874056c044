"""Who speaks HTTP/2: by the first bytes, or as TLS has agreed; and a port where nothing else is spoken."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ekiben.service.connections import detecting
from ekiben.service.connections.http2 import listener
from ekiben.service.connections.http2.connection import Port
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http2.listener import Http2Listener
from ekiben.service.connections.http2.rejecting import reject
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http2.stream_handler import StreamHandler
from ekiben.service.connections.http_state import HttpState
from ekiben.service.secrets.tls import Tls, TlsPaths
from tests.certificates import Pair, write_pair
from tests.http2_server import serve
from tests.uvicorn_server import run


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return write_pair(tmp_path / "pair")


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
def test_tls_agrees_on_the_protocol(pair: Pair, http2: bool, version: str) -> None:
    async def scenario() -> None:
        context = ssl.create_default_context(cafile=str(pair.certificate))
        async with (
            serve(tls=Tls(TlsPaths(pair.certificate, pair.key)).make_context()) as served,
            httpx.AsyncClient(verify=context, http2=http2, timeout=30) as client,
        ):
            answer = await client.post(f"https://127.0.0.1:{served.port}/", content=b"x" * 100_000)
            assert (answer.http_version, answer.content) == (version, b"x" * 100_000)

    run(scenario())


def test_a_client_that_agrees_on_http2_must_speak_it(pair: Pair) -> None:
    async def scenario() -> None:
        context = ssl.create_default_context(cafile=str(pair.certificate))
        context.set_alpn_protocols(["h2"])
        async with serve(tls=Tls(TlsPaths(pair.certificate, pair.key)).make_context()) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            answered = await asyncio.wait_for(reader.read(), 30)
            assert b"HTTP/1.1" not in answered
            assert answered[-8:] == bytes(7) + b"\1"  # GOAWAY: PROTOCOL_ERROR
            writer.close()

    run(scenario())


@pytest.mark.parametrize("sent", [b"", PREFACE[:5]], ids=["nothing", "a part of the preface"])
def test_a_connection_that_never_asks_is_closed_in_time(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    if sent:
        monkeypatch.setattr(detecting, "ARRIVAL_S", 0.2)

    async def scenario() -> None:
        async with serve(keep_alive_s=60.0 if sent else 0.2) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()

    run(scenario())


def teapot(stream: Stream) -> StreamHandler:
    return reject(stream, 418, "short and stout")


@asynccontextmanager
async def listen() -> AsyncIterator[tuple[Http2Listener, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listening = Http2Listener(HttpState(), Port(teapot))
    await listening.open("127.0.0.1", port)
    try:
        yield listening, port
    finally:
        await listening.close(1.0)


def test_a_port_for_http2_answers_it_and_says_so_to_others() -> None:
    async def scenario() -> None:
        async with listen() as (_, port):
            url = f"http://127.0.0.1:{port}/"
            async with httpx.AsyncClient(http1=False, http2=True) as new, httpx.AsyncClient() as old:
                answer = await new.get(url)
                assert (answer.status_code, answer.json()) == (418, {"error": "short and stout"})
                answer = await old.get(url)
                assert (answer.status_code, answer.json()) == (505, {"error": listener.SENTENCE})

    run(scenario())


@pytest.mark.parametrize("sent", [b"", PREFACE[:4]])
def test_who_says_nothing_there_is_not_kept(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "FIRST_BYTES_S", 0.2)

    async def scenario() -> None:
        async with listen() as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()

    run(scenario())


def test_a_closed_port_takes_nobody_and_ends_who_is_there() -> None:
    async def scenario() -> None:
        async with listen() as (listening, port), httpx.AsyncClient(http1=False, http2=True) as client:
            await client.get(f"http://127.0.0.1:{port}/")
            await listening.close(10.0)
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{port}/")

    run(scenario())
