"""Bytes over HTTP/1.1 connections, for attacks that no client library would send."""

import asyncio
import gzip
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ekiben.load_tests.hostile.attack import CLOSED, MARK, NO_ANSWER, AttackTarget, Run, Traffic
from ekiben.load_tests.requests.http_message import http_request

ANSWER_S = 30.0
MAX_HEAD = 1 << 20
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def get(path: str = "/", **headers: str) -> bytes:
    """Return a GET."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: bytes, kind: str = "application/json", headers: Mapping[str, str] = {}) -> bytes:
    """Return a POST."""
    return http_request(path, {"Content-Type": kind} | dict(headers), body)


def post_packed(path: str, body: bytes, headers: Mapping[str, str] = {}) -> bytes:
    """Return a POST whose body is compressed."""
    return post(path, gzip.compress(body), headers={"Content-Encoding": "gzip"} | dict(headers))


def flood(target: AttackTarget, requests: Iterable[bytes], connections: int) -> Run:
    """Return an attack that sends the requests over so many connections, each the next as soon as it is answered."""
    listed = list(requests)

    async def run(traffic: Traffic) -> None:
        left, end = iter(listed), time.monotonic() + target.seconds
        await asyncio.gather(*(_send_all(target, left, end, traffic) for _ in range(connections)))

    return run


def pour(target: AttackTarget, parts: Sequence[bytes], connections: int, listens: bool = True) -> Run:
    """Return an attack that sends the parts over each connection, one after the other whatever is answered.

    With `listens` it reads the answers until there are none, else it never reads.
    """

    async def run(traffic: Traffic) -> None:
        end = time.monotonic() + target.seconds
        await asyncio.gather(*(_pour(target, parts, end, traffic, listens) for _ in range(connections)))

    return run


async def connect(target: AttackTarget) -> Streams:
    """Open a connection."""
    return await asyncio.open_connection(*target.address, limit=MAX_HEAD)


async def send(writer: asyncio.StreamWriter, data: bytes, traffic: Traffic) -> None:
    """Send, no faster than the service takes it."""
    writer.write(data)
    traffic.sent += len(data)
    await writer.drain()


async def read_all(reader: asyncio.StreamReader, traffic: Traffic, wait_s: float = ANSWER_S) -> None:
    """Count answers until the connection ends, or none comes in time."""
    while True:
        label = await read_label(reader, traffic, wait_s)
        if label == NO_ANSWER:
            return
        traffic.answers[label] += 1
        if label == CLOSED:
            return


async def read_label(reader: asyncio.StreamReader, traffic: Traffic, wait_s: float = ANSWER_S) -> str:
    """Return the status of the next answer, CLOSED or NO_ANSWER."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(wait_s):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower()
            if lines[9:10] == b"1":  # 100 Continue
                return await read_label(reader, traffic, wait_s)
            index = lines.find(b"\r\ncontent-length:")
            size = int(lines[index + 17 :].partition(b"\r\n")[0]) if index >= 0 else 0
            await reader.readexactly(size)
    except TimeoutError:
        return NO_ANSWER
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return CLOSED
    _, marked, name = lines.partition(MARK.encode())
    if marked:
        traffic.hidden[name.partition(b"\r\n")[0].decode("latin-1")] += 1
    traffic.latest = max(traffic.latest, time.monotonic() - began)
    return head[9:12].decode("latin-1")


async def _send_all(target: AttackTarget, left: Iterator[bytes], end: float, traffic: Traffic) -> None:
    streams: Streams | None = None
    for request in left:
        if time.monotonic() > end:
            break
        try:
            streams = streams or await connect(target)
            await send(streams[1], request, traffic)
        except OSError:
            pass  # the answer may be there all the same
        label = await read_label(streams[0], traffic) if streams else CLOSED
        traffic.answers[label] += 1
        if streams and label in (CLOSED, NO_ANSWER):
            streams[1].close()
            streams = None
    if streams:
        streams[1].close()


async def _pour(target: AttackTarget, parts: Sequence[bytes], end: float, traffic: Traffic, listens: bool) -> None:
    try:
        reader, writer = await connect(target)
    except OSError:
        traffic.answers[CLOSED] += 1
        return
    reading = asyncio.ensure_future(read_all(reader, traffic, target.seconds)) if listens else None
    if not listens:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
            for part in parts:
                await send(writer, part, traffic)
            if reading:
                await reading
            else:
                await asyncio.sleep(target.seconds)
    except (TimeoutError, OSError):
        pass
    if reading and not reading.done():
        await asyncio.wait([reading], timeout=1)
        reading.cancel()
    writer.transport.abort()
