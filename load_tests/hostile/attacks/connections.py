"""More connections than a service has room for, bodies that never come, and answers that nobody reads."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from ekiben.load_tests.hostile.attack import NO_ANSWER, Attack, AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.attacks.heads import ANY_OR_NONE
from ekiben.load_tests.hostile.rows import ask, good_rows
from ekiben.load_tests.hostile.wire import connect, get, pour, read_label, send
from ekiben.load_tests.requests.http_dialects import PREDICT

FILES = 256


def hold_connections(target: AttackTarget, count: int, sends: bytes) -> Run:
    """Open connections that ask nothing, or begin to, and see that probes are answered all the while."""

    async def run(traffic: Traffic) -> None:
        held = []
        for _ in range(target.times(count)):
            try:
                async with asyncio.timeout(5):
                    _, writer = await connect(target)
                if sends:
                    await send(writer, sends, traffic)
                held.append(writer)
            except OSError:  # rejected, or not taken
                traffic.sent += 1
        await probe(target, traffic, end=time.monotonic() + target.seconds / 2)
        for writer in held:
            writer.transport.abort()

    return run


async def probe(target: AttackTarget, traffic: Traffic, end: float) -> None:
    """Ask over new connections whether the service lives; anything but 200 is a fault."""
    while time.monotonic() < end:
        try:
            async with asyncio.timeout(2):
                reader, writer = await connect(target)
            await send(writer, get("/livez"), traffic)
            traffic.answers[await read_label(reader, traffic, 2)] += 1
            writer.close()
        except OSError:
            traffic.answers[NO_ANSWER] += 1
        await asyncio.sleep(0.1)


def churn_connections(target: AttackTarget) -> Run:
    """Open and reset connections as fast as that goes."""

    async def run(traffic: Traffic) -> None:
        end = time.monotonic() + target.seconds
        left = iter(range(target.times(10_000)))
        await asyncio.gather(*(churn(left, end, traffic) for _ in range(16)))

    async def churn(left: Iterator[int], end: float, traffic: Traffic) -> None:
        for _ in left:
            if time.monotonic() > end:
                return
            try:
                _, writer = await connect(target)
                await send(writer, b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{", traffic)
                writer.transport.abort()
            except OSError:
                continue

    return run


def expect_bodies(target: AttackTarget) -> Run:
    """Announce bodies of 8 MB on many connections and send none."""
    head = (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: 8000000\r\n\r\n"
    )
    return pour(target, [head], target.times(500))


def leave_answers(target: AttackTarget, rows: int, times: int, connections: int) -> Run:
    """Ask for large answers and never read them."""
    return pour(target, [ask(target, PREDICT, good_rows(target, rows))] * times, target.times(connections), False)


def leave_packed_answers(target: AttackTarget) -> Run:
    request = ask(target, PREDICT, good_rows(target, 10_000), packed=True)
    return pour(target, [request], target.times(100), False)


def leave_pages(target: AttackTarget) -> Run:
    return pour(target, [get("/docs.json")] * 16, target.times(300), False)


ATTACKS = (
    Attack("expect", "500 announced bodies that never come", expect_bodies, ANY_OR_NONE),
    Attack(
        "connections-idle",
        "3,000 connections that ask nothing",
        partial(hold_connections, count=3000, sends=b""),
        frozenset({"200"}),
    ),
    Attack(
        "connections-begun",
        "3,000 connections that begin a body",
        partial(hold_connections, count=3000, sends=b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"),
        frozenset({"200"}),
    ),
    Attack(
        "connections-files",
        f"600 connections to a service with `ulimit -n {FILES}`",
        partial(hold_connections, count=600, sends=b""),
        frozenset({"200"}),
        files=FILES,
    ),
    Attack("connections-churn", "10,000 connections that are reset within a body", churn_connections, frozenset()),
    Attack(
        "unread-answers",
        "60 connections that ask for 10 × 5,000 rows and never read",
        partial(leave_answers, rows=5000, times=10, connections=60),
        ANY_OR_NONE,
        crowded=True,
    ),
    Attack(
        "unread-gzip",
        "100 connections that ask for 10,000 rows in some KB and never read",
        leave_packed_answers,
        ANY_OR_NONE,
        crowded=True,
    ),
    Attack("unread-pages", "300 connections that ask for 16 documents and never read", leave_pages, ANY_OR_NONE),
)
