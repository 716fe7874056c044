"""Heads without end, heads that drip, and chunks."""

import asyncio
import time
from functools import partial

from ekiben.load_tests.hostile.attack import CLOSED, Attack, AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.wire import connect, pour, read_all, send

TOO_LARGE = frozenset({"400", "431", CLOSED})  # a reset may overtake the answer to what is still being sent
TOO_LONG = TOO_LARGE | {"414"}
MIB = 1 << 20
HEAD_S = 30.0  # that a head may take to arrive, at most
DRIP_S = 0.5
BEGUN = b"GET /livez HTTP/1.1\r\nHost: a\r\n"


def pour_line(target: AttackTarget) -> Run:
    parts = [b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ", *[b"a" * MIB] * target.times(200)]
    return pour(target, parts, 1)


def pour_lines(target: AttackTarget, line: bytes) -> Run:
    parts = [BEGUN, *[line * (100_000 // 10)] * target.times(10), b"\r\n"]
    return pour(target, parts, 4)


def pour_path(target: AttackTarget) -> Run:
    return pour(target, [b"GET /", *[b"a" * MIB] * target.times(32), b" HTTP/1.1\r\nHost: a\r\n\r\n"], 4)


def pour_method(target: AttackTarget) -> Run:
    return pour(target, [b"A" * MIB] * target.times(16), 4)


def pour_blank_lines(target: AttackTarget) -> Run:
    return pour(target, [b"\r\n" * (MIB // 2)] * target.times(32), 4)


def pour_large_heads(target: AttackTarget) -> Run:
    request = b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X-A: %b\r\n\r\n" % (b"a" * 30_000)
    return pour(target, [request] * target.times(200), 8)


def pour_chunks(target: AttackTarget, chunk: bytes, count: int) -> Run:
    """Send a body of tiny chunks that is too wrong to be answered otherwise than with 400."""
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = chunk * 1000
    return pour(target, [head, *[block] * (target.times(count) // 1000 + 1), b"0\r\n\r\n"], 4)


def pour_trailers(target: AttackTarget) -> Run:
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [head, b"2\r\n{}\r\n0\r\n", *[b"X-Trailer: a\r\n" * 10_000] * target.times(40), b"\r\n"]
    return pour(target, parts, 4)


def drip_heads(target: AttackTarget) -> Run:
    """Begin requests on many connections, and go on with a byte now and then."""

    async def run(traffic: Traffic) -> None:
        end = time.monotonic() + target.seconds
        await asyncio.gather(*(drip(target, end, traffic) for _ in range(target.times(400))))

    return run


def outlast_heads(target: AttackTarget) -> Run:
    """Drip for longer than a head may take: the service must have closed these connections by then."""

    async def run(traffic: Traffic) -> None:
        end = time.monotonic() + HEAD_S + 5
        await asyncio.gather(*(drip(target, end, traffic, outlasts=True) for _ in range(20)))

    return run


async def drip(target: AttackTarget, end: float, traffic: Traffic, outlasts: bool = False) -> None:
    """Send a head in single bytes until the connection ends or the time is over."""
    reader, writer = await connect(target)
    reading = asyncio.ensure_future(read_all(reader, traffic, end - time.monotonic() + 1))
    try:
        await send(writer, BEGUN, traffic)
        while time.monotonic() < end and not reading.done():
            await send(writer, b"a", traffic)
            await asyncio.sleep(DRIP_S)
    except OSError:
        pass
    if outlasts and not reading.done():
        traffic.answers["still open"] += 1
    reading.cancel()
    writer.transport.abort()


ANY_OR_NONE = frozenset({"200", "400", "408", "413", "429", "431", CLOSED})
ATTACKS = (
    Attack("head-line", "one header line of 200 MiB", pour_line, TOO_LARGE),
    Attack(
        "head-lines", "100,000 headers in a head, 4 connections", partial(pour_lines, line=b"X-A: aaaa\r\n"), TOO_LARGE
    ),
    Attack("head-short-lines", "the same with headers of one letter", partial(pour_lines, line=b"a:\r\n"), TOO_LARGE),
    Attack("head-folded", "a header folded over 100,000 lines", partial(pour_lines, line=b" aaaaaaaa\r\n"), TOO_LARGE),
    Attack("head-path", "a path of 32 MiB, 4 connections", pour_path, TOO_LONG),
    Attack("head-method", "a method of 16 MiB, 4 connections", pour_method, TOO_LARGE),
    Attack("head-blank", "32 MiB of blank lines before a request, 4 connections", pour_blank_lines, TOO_LARGE),
    Attack("head-large", "200 heads of 30 KB on each of 8 connections", pour_large_heads, ANY_OR_NONE),
    Attack("head-drip", "400 heads that come a byte at a time", drip_heads, frozenset({"408", CLOSED})),
    Attack("head-outlast", f"20 heads that take longer than {HEAD_S:g} s", outlast_heads, frozenset({"408", CLOSED})),
    Attack(
        "chunk-tiny",
        "4 bodies of a million chunks of 1 byte",
        partial(pour_chunks, chunk=b"1\r\n \r\n", count=1_000_000),
        ANY_OR_NONE,
    ),
    Attack(
        "chunk-extensions",
        "4 bodies of 50,000 chunks with extensions",
        partial(pour_chunks, chunk=b"1;" + b"a" * 100 + b"\r\n \r\n", count=50_000),
        ANY_OR_NONE,
    ),
    Attack("chunk-trailers", "400,000 trailers after a body, 4 connections", pour_trailers, ANY_OR_NONE),
)
