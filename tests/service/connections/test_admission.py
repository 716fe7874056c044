"""Reading a few requests at a time: which wait, which are rejected unread, and what their callers get."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ekiben.service.batching.queue import BatchQueue
from ekiben.service.connections import admission_connection, rejections
from ekiben.service.connections.admission import (
    LATE,
    REQUEST_S,
    TICK_REQUESTS,
    WAITED,
    AdmissionController,
    RequestCost,
)
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.plain_post import is_complete_post
from ekiben.service.connections.rejections import MIN_REJECTIONS
from ekiben.service.errors import DeadlineExceeded, Overloaded
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import Recorder
from tests.conftest import serve
from tests.doubling import Doubling
from tests.uvicorn_server import run
from tests.waiting import wait_for

POST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
FOREVER_S = 1e6


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (POST + b"12345", True),
        (POST.replace(b"Content-Length", b"content-length") + b"12345", True),
        (POST.replace(b"Host: a", b"Host: " + b"a" * 4096) + b"12345", False),
        (POST + b"1234", False),
        (POST + b"12345P", False),
        (POST[:30], False),
        (b"12345", False),
        (POST.replace(b"POST", b"post") + b"12345", False),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (POST.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Connection: close\r\nHost") + b"12345", False),
        (POST.replace(b" 5", b" -5") + b"12345", False),
        (POST.replace(b"Host", b"Connection: Keep-Alive\r\nAccept: */*\r\nHost") + b"12345", True),
        (POST.replace(b" 5", b"5") + b"12345", True),
        # What could hide a request in another's body, or keep open what is to be closed:
        (POST.replace(b"Host", b"Content-Length: 50\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"X: y\nTransfer-Encoding: chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"X: y\rTransfer-Encoding: chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b" Transfer-Encoding: chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Transfer-Encoding : chunked\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Connection:close\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"CONNECTION: TE, close\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost") + b"12345", False),
        (POST.replace(b"Host", b"Expect: 100-continue\r\nHost") + b"12345", False),
        (POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"12345", False),
        (POST.replace(b"HTTP/1.1\r", b"HTTP/1.1") + b"12345", False),
        (POST.replace(b" 5", b" 5, 5") + b"12345", False),
    ],
    ids=[
        *("whole", "small", "long", "cut", "more", "head", "body", "post", "get", "chunked", "both", "close", "below"),
        *("usual", "no-blank", "two-lengths", "bare-lf", "bare-cr", "folded", "space", "close-close", "close-list"),
        *("upgrade", "expect", "http-1.0", "no-cr", "list"),
    ],
)
def test_only_a_whole_post_can_be_rejected_unread(data: bytes, whole: bool) -> None:
    assert is_complete_post(data) == whole


@pytest.fixture
def controller() -> AdmissionController:
    """A controller of the test's own event loop."""
    return AdmissionController()


class Echo:
    """Answers with the body, once `open` is set; remembers the scopes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await self.open.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self) -> tuple[int, bytes]:
        """Return the next answer's status and body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head[9:12]), await self._reader.readexactly(length(head))

    async def receive_all(self) -> list[tuple[int, bytes]]:
        """Return all answers that come until the connection ends."""
        answers = []
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                answers.append(await self.receive())
        return answers

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        self.send(data)
        return await self.receive()

    def leave(self) -> None:
        self._writer.close()


class Server:
    """A uvicorn server with this protocol."""

    def __init__(self, server: uvicorn.Server, state: HttpState) -> None:
        self._server = server
        self.rejections = state.rejections
        self._callers: list[Caller] = []

    async def connect(self) -> Caller:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
        self._callers.append(caller)
        return caller

    @property
    def connections(self) -> list[Any]:
        return list(self._server.server_state.connections)

    def stop(self) -> None:
        self._server.should_exit = True

    def listens(self) -> bool:
        return any(one.is_serving() for one in self._server.servers)

    def leave(self) -> None:
        for caller in self._callers:
            caller.leave()


@asynccontextmanager
async def listen(app: Any, controller: AdmissionController, **given: Any) -> AsyncIterator[Server]:
    state = HttpState(admission=controller, **given)
    protocol: Any = partial(AdmissionConnection, state)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=protocol))
    serving = asyncio.ensure_future(server.serve())
    await wait_for(lambda: server.started)
    running = Server(server, state)
    try:
        yield running
    finally:
        running.leave()
        running.stop()
        await serving


def shut(controller: AdmissionController, queue_slots: int) -> None:
    """Admit nothing at once; as many requests may wait."""
    controller.tick_active = True
    controller.read_budget, controller.queue_slots = 0, queue_slots


def test_a_turn_reads_few_requests_and_the_others_wait_their_turn(controller: AdmissionController) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            callers = [await server.connect() for _ in range(4 * TICK_REQUESTS)]
            shut(controller, queue_slots=len(callers))
            for number, caller in enumerate(callers):
                caller.send(POST + b"%05d" % number)
            await wait_for(lambda: controller.count_waiting() == len(callers))
            assert not echo.scopes
            controller.begin()
            assert controller.count_waiting() == len(callers) - TICK_REQUESTS
            answers = [await caller.receive() for caller in callers]
            assert answers == [(200, b"%05d" % number) for number in range(len(callers))]
            assert controller.count_waiting() == 0
            assert all(scope[WAITED] > 0 for scope in echo.scopes)

    run(scenario())


def test_what_a_caller_sends_ahead_waits_for_its_turn_too(controller: AdmissionController) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            caller = await server.connect()
            echo.open.clear()
            caller.send((POST + b"12345") * 3)
            await wait_for(lambda: len(echo.scopes) == 1)
            shut(controller, queue_slots=1)
            echo.open.set()
            assert await caller.receive() == (200, b"12345")
            assert controller.count_waiting() == 1
            assert len(echo.scopes) == 1
            controller.begin()
            assert await caller.receive() == (200, b"12345")
            assert await caller.receive() == (200, b"12345")

    run(scenario())


def test_at_a_stop_what_was_sent_ahead_is_not_begun_beside_the_request_before_it(
    controller: AdmissionController,
) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            caller = await server.connect()
            echo.open.clear()
            caller.send((POST + b"12345") * 2)
            await wait_for(lambda: len(echo.scopes) == 1)
            (connection,) = server.connections
            await wait_for(lambda: connection.unread != b"")
            server.stop()
            await wait_for(lambda: not connection.cycle.keep_alive)
            echo.open.set()
            assert await caller.receive_all() == [(200, b"12345")]
            assert len(echo.scopes) == 1

    run(scenario())


def test_a_request_that_waits_when_a_stop_is_over_is_answered(
    controller: AdmissionController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission_connection, "CROSSING_S", 0.2)

    async def scenario() -> None:
        async with listen(Echo(), controller) as server:
            caller = await server.connect()
            assert await caller.ask(POST + b"12345") == (200, b"12345")
            server.stop()
            await wait_for(lambda: not server.listens())
            shut(controller, queue_slots=1)
            caller.send(POST + b"67890")
            assert await caller.receive_all() == [(200, b"67890")]

    run(scenario())


def test_a_waiting_request_that_there_is_no_room_for_any_more_is_answered(controller: AdmissionController) -> None:
    async def scenario() -> None:
        async with listen(Echo(), controller, budget=ByteBudget(100)) as server:
            caller = await server.connect()
            shut(controller, queue_slots=1)
            caller.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 1)
            caller.send((POST + b"12345") * 3)
            assert (await caller.receive())[0] == 429
            controller.begin()

    run(scenario())


def test_one_request_at_a_time_never_waits(controller: AdmissionController) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            caller = await server.connect()
            for _ in range(5):
                assert await caller.ask(POST + b"12345") == (200, b"12345")
            assert not any(WAITED in scope for scope in echo.scopes)

    run(scenario())


def test_what_would_wait_too_long_is_rejected_on_a_connection_that_stays(controller: AdmissionController) -> None:
    async def scenario() -> None:
        metrics._rejected_counts.clear()
        async with listen(Echo(), controller) as server:
            waits, rejected, part = [await server.connect() for _ in range(3)]
            shut(controller, queue_slots=1)
            waits.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 1)
            for _ in range(3):
                status, body = await rejected.ask(POST + b"12345")
                assert (status, b"try again in 1 s" in body) == (429, True)
            part.send(POST)  # this one's body is on its way
            part.send(b"12345")
            controller.begin()
            assert await waits.receive() == (200, b"12345")
            assert await rejected.ask(POST + b"abcde") == (200, b"abcde")
            assert await part.receive() == (200, b"12345")

    run(scenario())


def test_no_more_requests_wait_than_rows_may(controller: AdmissionController) -> None:
    async def scenario() -> None:
        controller.max_wait_s, controller.max_waiting = 1000.0, 5
        async with listen(Echo(), controller) as server:
            callers = [await server.connect() for _ in range(TICK_REQUESTS + 20)]
            await wait_for(lambda: len(server.connections) == len(callers))
            for connection in server.connections:  # in one turn
                connection.data_received(POST + b"12345")
            answers = Counter([(await caller.receive())[0] for caller in callers])
            assert answers == {200: TICK_REQUESTS + 5, 429: 15}

    run(scenario())


def test_of_a_request_that_is_still_arriving_the_scope_says_that_it_is_late(controller: AdmissionController) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            late, early = await server.connect(), await server.connect()
            shut(controller, queue_slots=0)
            late.send(POST)
            await wait_for(lambda: controller.count_unjudged() == 1)
            controller.begin()
            await wait_for(lambda: len(echo.scopes) == 1)
            assert LATE in echo.scopes[0]
            shut(controller, queue_slots=1)
            early.send(POST)
            await wait_for(lambda: controller.count_unjudged() == 1)
            controller.begin()
            await wait_for(lambda: len(echo.scopes) == 2)
            assert LATE not in echo.scopes[1]
            late.send(b"12345")
            early.send(b"12345")
            assert (await late.receive())[0] == (await early.receive())[0] == 200

    run(scenario())


@pytest.mark.parametrize("data", [b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", POST[:30]], ids=["probe", "part"])
def test_a_flood_of_what_cannot_be_rejected_unread_is_read_a_few_at_a_time(
    controller: AdmissionController, data: bytes
) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            callers = [await server.connect() for _ in range(3 * TICK_REQUESTS)]
            await wait_for(lambda: len(server.connections) == len(callers))
            for connection in server.connections:  # in one tick
                connection.data_received(data)
            assert controller.count_unjudged() == 2 * TICK_REQUESTS
            if data.startswith(b"GET"):
                assert [(await caller.receive())[0] for caller in callers] == [200] * len(callers)
            await wait_for(lambda: controller.count_unjudged() == 0)

    run(scenario())


def test_who_waits_for_the_engine_leaves_half_of_each_tick_to_probes(controller: AdmissionController) -> None:
    async def scenario() -> None:
        async with listen(Echo(), controller) as server:
            posts = [await server.connect() for _ in range(2 * TICK_REQUESTS)]
            probes = [await server.connect() for _ in range(2 * TICK_REQUESTS)]
            shut(controller, queue_slots=len(posts))
            for caller in posts:
                caller.send(POST + b"12345")
            for caller in probes:
                caller.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            await wait_for(
                lambda: (controller.count_waiting(), controller.count_unjudged()) == (len(posts), len(probes))
            )
            controller.begin()
            assert controller.count_waiting() == controller.count_unjudged() == 2 * TICK_REQUESTS - TICK_REQUESTS // 2
            assert [(await caller.receive())[0] for caller in (*posts, *probes)] == [200] * 4 * TICK_REQUESTS

    run(scenario())


def test_probes_are_answered_though_the_engine_is_behind(controller: AdmissionController) -> None:
    async def scenario() -> None:
        controller.backlog_s = lambda: 2 * controller.max_wait_s
        async with listen(Echo(), controller) as server:
            caller = await server.connect()
            for _ in range(3):
                assert (await caller.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200

    run(scenario())


def test_rejections_come_later_and_not_all_at_once(
    controller: AdmissionController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "REJECTIONS_SHARE", 0.0)  # no time for more than the fewest
    monkeypatch.setattr(rejections, "CLOCK_RESOLUTION_S", 0.3)  # between them, so that they can be told apart

    async def scenario() -> None:
        metrics._rejected_counts.clear()
        async with listen(Echo(), controller) as server:
            callers = [await server.connect() for _ in range(2 * MIN_REJECTIONS + 1)]
            shut(controller, queue_slots=0)
            for caller in callers:
                caller.send(POST + b"12345")
            await wait_for(lambda: rejected(server, callers) > 0)
            assert rejected(server, callers) == MIN_REJECTIONS
            await wait_for(lambda: rejected(server, callers) == len(callers))
            assert metrics._rejected_counts == Counter({("admission", "overloaded"): len(callers)})
            assert [(await caller.receive())[0] for caller in callers] == [429] * len(callers)

    def rejected(server: Server, callers: list[Caller]) -> int:
        return len(callers) - len(server.rejections._waiting) if metrics._rejected_counts else 0

    run(scenario())


def test_who_is_rejected_while_draining_is_answered_by_the_service_which_ends_the_connection(
    controller: AdmissionController,
) -> None:
    async def scenario() -> None:
        echo = Echo()
        async with listen(echo, controller) as server:
            caller = await server.connect()
            shut(controller, queue_slots=0)
            controller.draining = True
            assert (await caller.ask(POST + b"12345"))[0] == 200
            assert LATE in echo.scopes[0]

    run(scenario())


def test_who_does_not_wait_for_a_rejection_gets_it_before_the_next_answer(
    controller: AdmissionController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "SHORT_S", FOREVER_S)

    async def scenario() -> None:
        async with listen(Echo(), controller) as server:
            caller = await server.connect()
            shut(controller, queue_slots=0)
            caller.send(POST + b"12345")
            await wait_for(lambda: len(server.rejections._waiting) == 1)
            controller.begin()
            caller.send(POST + b"abcde")
            assert (await caller.receive())[0] == 429
            assert await caller.receive() == (200, b"abcde")

    run(scenario())


def test_more_on_a_waiting_connection_stays_in_order(controller: AdmissionController) -> None:
    async def scenario() -> None:
        async with listen(Echo(), controller) as server:
            caller, other = await server.connect(), await server.connect()
            shut(controller, queue_slots=5)
            caller.send(POST + b"11111")
            await wait_for(lambda: controller.count_waiting() == 1)
            caller.send(POST + b"22222" + POST + b"33")
            other.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 2)
            controller.begin()
            assert await caller.receive() == (200, b"11111")
            assert await caller.receive() == (200, b"22222")
            caller.send(b"333")
            assert await caller.receive() == (200, b"33333")
            assert await other.receive() == (200, b"12345")

    run(scenario())


def test_who_leaves_while_waiting_is_not_read(controller: AdmissionController) -> None:
    async def scenario() -> None:
        metrics._rejected_counts.clear()
        echo = Echo()
        async with listen(echo, controller) as server:
            gone, stays = await server.connect(), await server.connect()
            shut(controller, queue_slots=5)
            for caller in (gone, stays):
                caller.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 2)
            gone.leave()
            await wait_for(lambda: metrics._rejected_counts == Counter({("admission", "cancelled"): 1}))
            controller.begin()
            assert await stays.receive() == (200, b"12345")
            assert len(echo.scopes) == 1

    run(scenario())


def test_what_waits_is_answered_though_the_service_stops(
    controller: AdmissionController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "SHORT_S", FOREVER_S)

    async def scenario() -> None:
        async with listen(Echo(), controller) as server:
            waits, rejected = await server.connect(), await server.connect()
            shut(controller, queue_slots=1)
            waits.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 1)
            rejected.send(POST + b"12345")
            await wait_for(lambda: len(server.rejections._waiting) == 1)
            server.stop()
            assert await waits.receive() == (200, b"12345")
            assert (await rejected.receive())[0] == 429

    run(scenario())


def test_a_request_that_breaks_its_protocol_does_not_keep_the_gate_shut(
    controller: AdmissionController, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[AdmissionConnection] = []
    resume = AdmissionConnection.resume

    def break_once(protocol: AdmissionConnection) -> bool:
        if not broken:
            broken.append(protocol)
            raise RuntimeError("on purpose")
        return resume(protocol)

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with listen(Echo(), controller) as server:
            callers = [await server.connect() for _ in range(3)]
            shut(controller, queue_slots=3)
            for caller in callers[:2]:
                caller.send(POST + b"12345")
            await wait_for(lambda: controller.count_waiting() == 2)
            monkeypatch.setattr(AdmissionConnection, "resume", break_once)
            asyncio.get_running_loop().call_soon(controller.begin)
            assert await callers[1].receive() == (200, b"12345")
            assert await callers[2].ask(POST + b"12345") == (200, b"12345")
            assert len(broken) == 1

    run(scenario())


def test_an_engine_that_is_behind_gets_nothing_more_until_it_is_not(controller: AdmissionController) -> None:
    async def scenario() -> None:
        behind = True
        controller.backlog_s = lambda: 2 * controller.max_wait_s if behind else 0.0
        echo = Echo()
        async with listen(echo, controller) as server:
            caller = await server.connect()
            for _ in range(3):
                assert (await caller.ask(POST + b"12345"))[0] == 429
            assert not echo.scopes
            behind = False
            async with asyncio.timeout(5):
                while (await caller.ask(POST + b"12345"))[0] != 200:
                    await asyncio.sleep(0.005)

    run(scenario())


def test_what_the_engine_has_to_do_leaves_less_to_be_read(controller: AdmissionController) -> None:
    async def scenario() -> None:
        controller.max_wait_s = 200.5 * REQUEST_S
        controller.begin()
        assert (controller.read_budget, controller.queue_slots) == (TICK_REQUESTS, 201 - TICK_REQUESTS)
        controller.backlog_s = lambda: 198 * REQUEST_S
        controller.begin()
        assert (controller.read_budget, controller.queue_slots) == (3, 0)

    asyncio.run(scenario())


def test_an_engine_that_hangs_leaves_a_pace() -> None:
    pace = RequestCost()
    for _ in range(40_000):  # so long that the weight of the last request is 0
        pace.observe(0, 0.001)
    assert 1 < pace.request_s < float("inf")


def test_the_pace_is_that_of_the_turns_that_read_and_those_that_compute() -> None:
    pace = RequestCost()
    for _ in range(1000):
        pace.observe(32, 0.001)  # read
        pace.observe(0, 0.009)  # computed
    assert pace.request_s == pytest.approx(0.010 / 32, rel=0.05)


def test_the_wait_counts_against_the_callers_deadline() -> None:
    scope = {"method": "POST", "path": "/predict", "headers": [(b"x-request-timeout-ms", b"200")]}
    settings = Settings(model_name="")

    async def receive() -> Any:
        raise AssertionError("nobody reads it")

    request = Request(scope, receive, waited_s=0.05)
    assert read_timeout_s(request, settings) == 0.2
    assert 0 < request.left_s(0.2) <= 0.15
    with pytest.raises(DeadlineExceeded):
        read_timeout_s(Request(scope, receive, waited_s=0.2), settings)
    with pytest.raises(DeadlineExceeded):
        read_timeout_s(Request({**scope, "headers": []}, receive, waited_s=settings.request_timeout_s), settings)


def test_the_queue_rejects_what_would_wait_too_long_but_never_when_idle() -> None:
    async def scenario() -> None:
        queue = BatchQueue(Doubling(), 10_000, Recorder(), max_wait_s=0.1)
        queue.cost.fixed_s, queue.cost.row_s = 5.0, 0.2  # dearer than it is: the first request must get through
        queue.admit(1, FOREVER_S)
        assert queue.backlog_s == pytest.approx(0.2)
        with pytest.raises(Overloaded):
            queue.admit(1, FOREVER_S)
        queue.release(1)
        queue.cost.row_s = 0.001  # of rows that hardly count beside the batch's own cost, many are let in
        for _ in range(100):
            queue.admit(1, FOREVER_S)
        assert queue.backlog_s == pytest.approx(0.1)
        queue.admit(1, FOREVER_S)
        with pytest.raises(Overloaded):
            queue.admit(1, FOREVER_S)
        with pytest.raises(DeadlineExceeded):
            queue.admit(1, 0.0)
        queue.release(101)
        queue.close()

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_flood_gets_429_with_retry_after_on_connections_that_stay_and_probes_get_through(
    tmp_path: Path, model: object
) -> None:
    request = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    with serve(tmp_path, MAX_WAIT_S="0.000001") as server, ExitStack() as stack:
        host, port = server.url.removeprefix("http://").split(":")
        address = host, int(port)
        callers = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(200)]
        answers = []
        for _ in range(20):
            for caller in callers:
                caller.sendall(request)
            answers += [exchange(caller) for caller in callers]
        with socket.create_connection(address) as connection:  # in two parts, and then whole
            for _ in range(3):
                connection.sendall(request[:-2])
                assert exchange(connection, request[-2:])[9:12] in (b"400", b"429")
                assert exchange(connection, request)[9:12] in (b"400", b"429")
        statuses = {answer[9:12] for answer in answers}
        assert statuses <= {b"400", b"429"}, statuses
        rejected = [answer for answer in answers if answer[9:12] == b"429"]
        assert rejected, "nothing was rejected"
        assert all(b"\r\nretry-after: 1\r\n" in answer for answer in rejected)
        with socket.create_connection(address) as connection:
            assert exchange(connection, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")[9:12] == b"200"


def exchange(connection: socket.socket, request: bytes = b"") -> bytes:
    """Send a request, or none, and return the head of its answer, whose body fits into the same packet or the next."""
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
