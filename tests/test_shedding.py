"""Refusing requests unread: which bytes are a whole request, how many a turn may take, and what a caller gets."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.batching import BatchQueue
from service.errors import Overloaded
from service.shedding import FEWEST, MOST, REFUSAL_S, Costs, Gate, is_whole_post
from service.statistics import Recorder
from tests.conftest import serve
from tests.test_batching import Doubling

POST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (POST + b"12345", True),
        (POST.replace(b"Content-Length", b"content-length") + b"12345", True),
        (POST + b"1234", False),
        (POST + b"12345P", False),
        (POST[:30], False),
        (b"12345", False),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (POST.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Connection: close\r\nHost") + b"12345", False),
        (POST.replace(b" 5", b" -5") + b"12345", False),
    ],
    ids=["whole", "small letters", "short", "more", "head", "body", "get", "chunked", "both", "close", "negative"],
)
def test_only_a_whole_post_can_be_refused_unread(data: bytes, whole: bool) -> None:
    assert is_whole_post(data) == whole


def test_costs_tell_taken_from_refused() -> None:
    costs = Costs()
    for taken, refused in [(10, 0), (200, 5), (100, 900), (300, 400)] * 20:
        costs.observe(taken, refused, 50e-6 * taken + 15e-6 * refused)
    assert costs.taken_s == pytest.approx(50e-6, rel=0.05)


def test_costs_of_turns_that_are_all_alike_stay_sane() -> None:
    costs = Costs()
    for _ in range(500):
        costs.observe(100, 1000, 50e-6 * 100 + 15e-6 * 1000)
    assert REFUSAL_S < costs.taken_s < 100e-6


def test_a_turn_takes_what_fits_into_the_wait_and_the_next_begins_anew() -> None:
    async def scenario() -> None:
        gate = Gate()
        gate.max_wait_s = 1e-9
        assert all(gate.admits() for _ in range(MOST))  # nothing is known yet
        await asyncio.sleep(0)
        assert [gate.admits() for _ in range(FEWEST + 2)] == [True] * FEWEST + [False] * 2
        await asyncio.sleep(0)
        assert gate.admits()

    asyncio.run(scenario())


def test_the_queue_refuses_what_would_wait_too_long_but_never_when_idle() -> None:
    async def scenario() -> None:
        queue = BatchQueue(Doubling(), 10_000, Recorder(), max_wait_s=0.1)
        queue.cost.fixed_s, queue.cost.row_s = 0.2, 0.001  # dearer than it is: the first request must get through
        deadline = asyncio.get_running_loop().time() + 1e6
        queue.admit(1, deadline)
        with pytest.raises(Overloaded):
            queue.admit(1, deadline)
        queue.release(1)
        queue.admit(1, deadline)
        queue.release(1)
        queue.close()

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_flood_gets_429_with_retry_after_on_connections_that_stay_and_probes_get_through(
    tmp_path: Path, model: object
) -> None:
    request = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    with serve(tmp_path, MAX_WAIT_S="0.000001") as server:
        address = server.url.removeprefix("http://").split(":")

        def flood(_: int) -> list[bytes]:
            with socket.create_connection((address[0], int(address[1])), timeout=30) as connection:
                return [exchange(connection, request) for _ in range(200)]

        with ThreadPoolExecutor(24) as pool:
            answers = [answer for part in pool.map(flood, range(24)) for answer in part]
        with socket.create_connection((address[0], int(address[1]))) as connection:  # in two parts, and then whole
            for _ in range(3):
                connection.sendall(request[:-2])
                assert exchange(connection, request[-2:])[9:12] in (b"400", b"429")
                assert exchange(connection, request)[9:12] in (b"400", b"429")
        statuses = {answer[9:12] for answer in answers}
        assert statuses <= {b"400", b"429"}, statuses
        refused = [answer for answer in answers if answer[9:12] == b"429"]
        assert refused, "nothing was refused"
        assert all(b"\r\nretry-after: 1\r\n" in answer for answer in refused)
        with socket.create_connection((address[0], int(address[1]))) as connection:
            assert exchange(connection, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")[9:12] == b"200"


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request and return the head of its answer, whose body fits into the same packet or the next."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data or len(data) < data.index(b"\r\n\r\n") + 4 + length(data):
        part = connection.recv(65536)
        assert part, data
        data += part
    return data


def length(data: bytes) -> int:
    head = data.lower()
    return int(head[head.index(b"content-length:") + 15 :].partition(b"\r\n")[0])
