"""Heads that are known: the answers are the same, byte for byte, and the table is bounded and hard to fill."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.model.package import PackedModel
from ekiben.service.auth import Authenticator
from ekiben.service.connections import known_heads
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.known_heads import KnownHead, KnownHeads, cut_length
from ekiben.service.connections.plain_post import MAX_HEAD
from ekiben.service.errors import BadRequest, CallerGone, Overloaded
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.router import Resource, Router
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.logs.access import AccessLog
from ekiben.service.offload import LARGE_BYTES
from ekiben.service.protocols.endpoint import Endpoint
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from tests.conftest import Server
from tests.uvicorn_server import run
from tests.waiting import wait_for

TOKEN = b"Bearer secret"
ID = re.compile(rb"(?<=x-request-id: )[0-9a-f]{32}")
PREDICTION_ID = re.compile(rb"(?<=x-prediction-id: )[0-9a-f]{24}")
DATE = re.compile(rb"(?<=date: )[^\r]*")
ROUNDS = 150


class Answering:
    """What answers rows, as odd as its callers ask for; it counts them, and those whose head was known."""

    def __init__(self, authenticator: Authenticator, traced: bool = False, origins: str = "") -> None:
        self.known = self.asked = self.gone = 0
        self.held: list[asyncio.Future[bytes]] = []
        self.settings = Settings(access_log_sample=0)
        endpoint = Endpoint(Protocol("predict"), self.settings, self.answer, "/rows/{model}", rows=True)
        self._answer_known = endpoint.answer_known
        vars(endpoint)["answer_known"] = self.count_known
        self.spans: list[Any] = []
        vars(endpoint)["_tracing"] = SimpleNamespace(begin_http=self.begin_span) if traced else None
        router = Router()
        router.add("/rows/{model}", Resource({"POST": endpoint}, endpoint, frozenset(), page=False))
        self.app = FrontDoor(self.nothing, router, authenticator, Drain(), AccessLog(0.0), Cors(origins))

    def begin_span(self, *said: Any) -> Any:
        def end(status: int, answered: Any) -> None:
            self.spans.append((said, status, answered))

        return SimpleNamespace(end=end, ids=("trace", "span"))

    async def count_known(self, *given: Any) -> None:
        self.known += 1
        await self._answer_known(*given)

    async def nothing(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def answer(self, request: Request) -> bytes | Response:
        self.asked += 1
        timeout_s = read_timeout_s(request, self.settings)
        body = await request.read_body(2 * LARGE_BYTES, timeout_s, HttpState().budget)
        request.left_s(timeout_s)
        told = request.read_header(b"x-key"), request.read_header(b"content-length")
        said = b"%b %b %b %b " % (request.parameters["model"].encode(), request.query, *told)
        request.rows = len(body)
        if body.startswith(b"later"):
            await asyncio.get_running_loop().run_in_executor(None, str)
        if body.startswith(b"turn"):
            await asyncio.sleep(0)
        if body.startswith(b"hold"):
            await self.hold(request)
        if body.startswith(b"row"):
            request.prediction_id, request.model_version, request.ignored = b"one", b"7", ("köy",)
        if body.startswith(b"said"):
            request.prediction_id, request.model_version = b"one", b"a\r\nb: c" if b"split" in body else b"7"
        return self.end(body, said)

    async def hold(self, request: Request) -> None:
        held: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.held.append(held)
        watching: asyncio.Future[None] = asyncio.ensure_future(request.wait_gone())
        both: list[asyncio.Future[Any]] = [held, watching]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            self.gone += 1
            raise CallerGone
        watching.cancel()

    def end(self, body: bytes, said: bytes) -> bytes | Response:
        if body.startswith(b"wrong"):
            raise InvalidInput(FieldError(3, "köy", "is wrong"))
        if body.startswith(b"full"):
            raise Overloaded(7)
        if body.startswith(b"bad"):
            raise BadRequest(415, "not so", (b"x-why", b"so"))
        if body.startswith(b"close"):
            raise BadRequest(408, "too slow", (b"connection", b"close"))
        if body.startswith(b"fail"):
            raise ValueError("on purpose")
        if body.startswith(b"break"):
            raise asyncio.CancelledError
        if body.startswith(b"split"):
            return Response(said, ((b"x-odd", b"a\r\nb: c"),))
        if body.startswith(b"text"):
            return Response(said + body, ((b"x-one", b"1"), (b"x-one", b"2")), 200, b"text/plain")
        if body.startswith(b"long"):
            return Response(said + body * (1 + LARGE_BYTES // len(body)))
        return said + body


@asynccontextmanager
async def serve(
    known: bool = True, tokens: tuple[bytes, ...] = (), traced: bool = False, origins: str = "", **given: Any
) -> AsyncIterator[Any]:
    """Serve on a free port; yields what answers, with the `port`, the `state` and the `authenticator`."""
    authenticator = Authenticator(tokens)
    answering: Any = Answering(authenticator, traced, origins)
    answering.authenticator = authenticator
    answering.state = HttpState(heads=KnownHeads(authenticator) if known else None, **given)
    protocol: Any = partial(AdmissionConnection, answering.state)
    config = uvicorn.Config(answering.app, port=0, lifespan="off", log_config=None, http=protocol, access_log=False)
    answering.server = server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    await wait_for(lambda: server.started)
    answering.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield answering
    finally:
        server.should_exit = True
        await serving


async def send(server: Any, *parts: bytes, one_by_one: bool = False) -> bytes:
    """Send the parts over one connection, and return all that comes until the server closes it.

    `one_by_one`: each once something has come for the one before.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answered = b""

    async def read() -> None:
        nonlocal answered
        while part := await reader.read(2**16):
            answered += part
            came.set()

    came = asyncio.Event()
    reading = asyncio.ensure_future(read())
    reading.add_done_callback(lambda _: came.set())
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            if one_by_one and not reading.done():
                await asyncio.wait_for(came.wait(), 20)
                came.clear()
            await asyncio.sleep(0)
        await asyncio.wait_for(reading, 20)
    except ConnectionError:
        pass
    writer.close()
    return DATE.sub(b"", ID.sub(b"", answered))


async def ask(server: Any, *requests: bytes) -> list[bytes]:
    """Send each request once the one before is answered; return the answers of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answers = []
    for request in requests:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answers.append(DATE.sub(b"", head) + await reader.readexactly(length))
    writer.close()
    return answers


def post(
    body: bytes = b"row",
    *headers: bytes,
    path: bytes = b"/rows/a",
    length: bytes = b"Content-Length",
    after: tuple[bytes, ...] = (),
) -> bytes:
    lines = [b"POST %b HTTP/1.1" % path, b"host: a", *headers, b"%b: %d" % (length, len(body)), *after]
    return b"\r\n".join([*lines, b"", b""]) + body


END = b"GET /end HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
WORDS = (
    *(
        b"row",
        b"said",
        b"row of more",
        b"later",
        b"turn",
        b"wrong",
        b"full",
        b"bad",
        b"fail",
        b"text",
        b"long",
        b"split",
    ),
    *(
        b"break",
        b"close",
        b"said split",
        b"x" * 5000,
        b"x" * (LARGE_BYTES + 1),
        b"x" * (2 * LARGE_BYTES + 1),
        b"",
        b"\r\n\r\n",
    ),
)
USUAL = (
    *((), (), (b"x-key: k", b"accept: */*"), (b"x-request-id: mine",), (b"connection: keep-alive", b"a: length: 5")),
    *((b"X-Length: 5",), (b"x-key: length: ",)),
)
AFTER = (b"Inference-Header-Content-Length: 2",), (b"x-length: 3",), (b"x-length: ",)
ODD = (
    *(b"connection: close", b"expect: 100-continue", b"upgrade: h2c", b"transfer-encoding: chunked", b"x-key: other"),
    *(b"content-encoding: gzip", b"content-length: 3", b"x-request-timeout-ms: 0.00001", b"x-request-timeout-ms: ?"),
    *(b"host: b", b"x-request-id: not\xffusable", b"x y: z", b"accept: text/html", b"x-forwarded-proto: https"),
)
WHOLE = (
    b"HEAD /rows/a HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /rows/a HTTP/1.1\r\nhost: a\r\n\r\n",
    b"PUT /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nrow",
    b"POST /rows/a HTTP/1.0\r\nhost: a\r\ncontent-length: 3\r\n\r\nrow",
    b"post /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nrow",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length: 003\r\n\r\nrow",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nrow",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length:3\r\n\r\nrow",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\ncontent-length: 3 \r\n\r\nrow",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\nx-length: 3\r\n\r\n",
    b"POST /rows/a HTTP/1.1\r\nhost: a\r\nx: content-length: 3\r\n\r\n",
    b"\r\n\r\n" + post(),
)


class Caller:
    """Makes up what one connection sends."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> bytes:
        choose, draw = self._random.choice, self._random.random
        if draw() < 0.03:
            return choose(WHOLE)
        headers = [*choose(USUAL), *([choose(ODD)] if draw() < 0.05 else [])]
        path = choose((b"/rows/a", b"/rows/a", b"/rows/a", b"/rows/%C3%A9?q=%20"))
        after = () if draw() < 0.9 else choose(AFTER)
        return post(choose(WORDS[:9] if draw() < 0.9 else WORDS), *headers, path=path, after=after)

    def parts(self) -> tuple[list[bytes], bool]:
        """Return requests one by one, in company, and cut anywhere; and whether each is to wait for the last."""
        requests = [self.request() for _ in range(self._random.randrange(1, 16))] + [END]
        way = self._random.choice(("patient", "whole", "pipelined", "cut"))
        if way in ("patient", "whole"):
            return requests, way == "patient"
        sent = b"".join(requests)
        count = 1 if way == "pipelined" else self._random.randrange(1, 30)
        places = sorted(self._random.sample(range(len(sent)), min(count, len(sent))))
        return [sent[start:stop] for start, stop in zip([0, *places], [*places, len(sent)], strict=True)], False


def test_answers_are_the_same_whether_or_not_a_head_is_known() -> None:
    async def scenario() -> None:
        async with serve() as quick, serve(known=False) as plain:
            for seed in range(ROUNDS):
                parts, one_by_one = Caller(seed).parts()
                expected = await send(plain, *parts, one_by_one=one_by_one)
                assert await send(quick, *parts, one_by_one=one_by_one) == expected, f"seed {seed}: {parts}"
            assert quick.asked == plain.asked
            assert quick.known > quick.asked // 4, f"{quick.known} of {quick.asked}"
            await wait_for(lambda: quick.state.budget.taken == 0)

    run(scenario())


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word[:8]!r}-{len(word)}")
def test_each_answer_is_the_same(word: bytes) -> None:
    async def scenario() -> None:
        async with serve() as quick, serve(known=False) as plain:
            for server in (quick, plain):
                await ask(server, *[post()] * 3)
            before = quick.known
            assert await send(quick, post(word), END, one_by_one=True) == await send(
                plain, post(word), END, one_by_one=True
            )
            assert quick.known == before + (0 < len(word) <= LARGE_BYTES)

    run(scenario())


@pytest.mark.parametrize("header", ODD)
def test_what_is_unusual_is_parsed(header: bytes) -> None:
    async def scenario() -> None:
        async with serve() as quick, serve(known=False) as plain:
            sent = post(b"row", header)
            for _ in range(4):
                assert await send(quick, sent, END, one_by_one=True) == await send(plain, sent, END, one_by_one=True)
            told = (b"x-request-timeout-ms", b"x-request-id", b"x-key", b"x-forwarded", b"accept")
            assert quick.known == 0 or header.startswith(told)  # what these say is known, and nobody traces

    run(scenario())


@pytest.mark.parametrize("origins", ["https://a.example", "*"])
@pytest.mark.parametrize("header", [b"origin: https://a.example", b"origin: https://b.example", b"accept: */*"])
def test_pages_of_other_origins_may_read_the_answers(origins: str, header: bytes) -> None:
    async def scenario() -> None:
        async with serve(origins=origins) as quick, serve(known=False, origins=origins) as plain:
            for word in (b"row", b"row", b"row", b"wrong", b"full", b"later"):
                sent = post(word, header)
                answer = await send(quick, sent, END, one_by_one=True)
                assert answer == await send(plain, sent, END, one_by_one=True)
                assert (b"access-control-allow-origin" in answer) == (origins == "*" or b"//a" in header)
            assert quick.known == 4

    run(scenario())


def test_a_head_is_known_the_third_time_whatever_its_bodys_length() -> None:
    async def scenario() -> None:
        async with serve() as server:
            for count, known in enumerate((0, 0, 1, 2, 3)):
                await ask(server, post(b"row" * (1 + count)))
                assert server.known == known

    run(scenario())


@pytest.mark.parametrize(
    ("after", "threes", "twos"),  # of four bodies of that many bytes, the heads that are known
    [
        ((b"Inference-Header-Content-Length: 2",), 2, 0),  # it could be the body's
        ((b"X-Length: 3",), 0, 2),
        ((b"X-Length: ",), 0, 0),
        ((b"X-Length: 00000000002",), 0, 0),
        ((b"X-Length: 1", b"Y-Length: 1"), 0, 0),
    ],
)
def test_another_length_may_follow_the_bodys(after: tuple[bytes, ...], threes: int, twos: int) -> None:
    async def scenario() -> None:
        async with serve() as quick, serve(known=False) as plain:
            for body, known in ((b"row", threes), (b"ab", threes + twos)):
                for _ in range(4):
                    sent = post(body, after=after), END
                    assert await send(quick, *sent, one_by_one=True) == await send(plain, *sent, one_by_one=True)
                assert quick.known == known

    run(scenario())


def test_only_what_was_answered_with_200_is_known() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post(b"bad")] * 5)
            assert server.known == 0
            await ask(server, post(), post(b"bad"))
            assert server.known == 1

    run(scenario())


def test_a_known_head_is_nothing_without_its_token() -> None:
    async def scenario() -> None:
        async with serve(tokens=(b"secret",)) as server:
            sent = post(b"row", b"authorization: " + TOKEN)
            await ask(server, *[sent] * 4)
            assert server.known == 2
            server.authenticator.replace((b"other",))
            (answer,) = await ask(server, sent)
            assert answer.startswith(b"HTTP/1.1 401 ")
            server.authenticator.replace((b"other", b"secret"))
            assert (await ask(server, sent))[0].startswith(b"HTTP/1.1 200 ")
            assert server.known == 3

    run(scenario())


def test_spans_and_counts_are_the_same() -> None:
    async def scenario() -> None:
        async with serve(traced=True) as quick, serve(known=False, traced=True) as plain:
            for server in (quick, plain):
                before = sum(one.times for one in metrics._duration_of.values())
                await ask(server, *[post(word, b"x-request-id: mine") for word in (b"row", b"row", *WORDS[:9])])
                assert sum(one.times for one in metrics._duration_of.values()) == before + 11
            assert quick.known == 9
            assert quick.spans == plain.spans
            forwarded = post(b"row", b"x-forwarded-proto: https")
            await ask(quick, *[forwarded] * 4)
            assert quick.known == 9  # the scheme depends on who says so

    run(scenario())


def test_ids_that_differ_leave_nothing_and_push_nothing_out() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post()] * 3)
            await ask(server, *[post(b"row", b"x-request-id: %d" % number) for number in range(500)])
            assert server.known == 1
            await ask(server, post())
            assert server.known == 2

    run(scenario())


def learn(heads: KnownHeads, key: bytes) -> KnownHead:
    async def answer(*_: object) -> None: ...

    known = KnownHead(answer, {"scheme": "http"}, {}, ())
    heads.learn(key, known)
    return known


def test_the_table_is_bounded_and_what_is_used_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    heads = KnownHeads(Authenticator())
    learn(heads, b"used")
    for number in range(20_000):
        learn(heads, b"%d" % number)
        now += known_heads.PAUSE_S / 10
        if number % 1000 == 0:
            assert heads.find(b"used", "http")
    found = [key for number in range(20_000) if heads.find(key := b"%d" % number, "http")]
    assert len(found) == known_heads.MAX_HEADS - 1
    assert found[-1] > b"199"  # others come in, at their pace
    assert heads.find(b"used", "https") is None


def test_a_head_comes_twice_before_anything_is_kept_of_it() -> None:
    heads = KnownHeads(Authenticator())
    assert [heads.is_wanted(b"a") for _ in range(3)] == [False, True, True]
    heads.learn(b"a", None)  # it is not to be known
    assert not heads.is_wanted(b"a")
    assert heads.find(b"a", "http") is None


@pytest.mark.parametrize(
    "sent",
    [
        post()[:-1],
        post() + b"P",
        post(b""),
        post(b"x" * (LARGE_BYTES + 1)),
        post(b"row", b"x: " + b"a" * MAX_HEAD),
        post().replace(b": 3", b":3"),
        post().replace(b": 3", b": 3 "),
        post().replace(b": 3", b": +3"),
        post().replace(b": 3", b": \xb3"),
        post().replace(b": 3", b": 00000000003"),
        END,
        b"",
    ],
)
def test_what_is_no_whole_request_has_no_key(sent: bytes) -> None:
    assert cut_length(sent)[0] == b""


def test_a_caller_that_goes_is_noticed() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post()] * 3)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(b"hold"))
            await wait_for(lambda: len(server.held) == 1)
            assert server.known == 2
            writer.close()
            await wait_for(lambda: server.gone == 1)
            await wait_for(lambda: not server.server.server_state.connections)

    run(scenario())


def test_what_is_sent_ahead_waits_for_the_answer() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post()] * 3)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(b"hold"))
            await wait_for(lambda: len(server.held) == 1)
            writer.write(post(b"row one") + post(b"row two"))
            await wait_for(lambda: server.state.budget.taken > 0)
            assert server.asked == 4
            server.held[0].set_result(b"")
            answered = b""
            while not answered.endswith(b"row two"):
                answered += await reader.read(2**16)
            assert answered.count(b"HTTP/1.1 200 ") == 3
            assert answered.index(b"hold") < answered.index(b"row one")
            assert server.state.budget.taken == 0
            writer.close()

    run(scenario())


def test_a_request_under_way_is_answered_as_the_server_stops() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post()] * 3)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(b"hold"))
            await wait_for(lambda: len(server.held) == 1)
            server.server.should_exit = True
            (connection,) = [one for one in server.server.server_state.connections if not one.is_answered()]
            await wait_for(lambda: not connection.cycle.keep_alive)
            server.held[0].set_result(b"")
            answered = await asyncio.wait_for(reader.read(), 20)
            assert b"connection: close\r\n\r\na   4 hold" in answered
            writer.close()

    run(scenario())


def test_a_draining_service_parses_each_request() -> None:
    async def scenario() -> None:
        async with serve() as server:
            await ask(server, *[post()] * 3)
            server.state.admission.draining = True
            await ask(server, post())
            assert server.known == 1

    run(scenario())


def test_time_that_a_request_waited_counts() -> None:
    async def scenario() -> None:
        async with serve() as server:
            sent = post(b"row", b"x-request-timeout-ms: 50000")
            await ask(server, *[sent] * 3)
            controller = server.state.admission
            await wait_for(lambda: not controller.tick_active)
            controller.tick_active, controller.read_budget, controller.queue_slots = True, 0, 10  # one that is full
            asking = asyncio.ensure_future(ask(server, sent))
            await wait_for(lambda: controller.count_waiting() == 1)
            (waiting,) = controller._waiting
            waiting._waits_since -= 60
            controller.begin()
            (answer,) = await asking
            assert answer.startswith(b"HTTP/1.1 504 ")
            assert server.known == 2

    run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/predict", "/v1/models/flight_delay:predict", "/invocations", "/v2"])
def test_the_service_answers_alike(server: Server, model: PackedModel, path: str) -> None:
    """The first two answers are to a head that is not known, the others to one that is."""
    row = dict(model.schema.example)
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in row.items()
    ]
    content: dict[str, dict[str, Any]] = {
        "/predict": {"rows": [row]},
        "/v1/models/flight_delay:predict": {"instances": [row]},
        "/invocations": {"dataframe_records": [row]},
        "/v2": {"inputs": tensors},
    }
    where = "/v2/models/flight_delay/infer" if path == "/v2" else path
    right, wrong = json.dumps(content[path]).encode(), b'{"rows": 1}'
    said = b"content-type: application/json", b"x-key: " + path.encode()  # nobody else's head

    async def scenario() -> None:
        port = SimpleNamespace(port=int(server.url.rpartition(":")[2]))
        sent = [post(body, *said, path=where.encode()) for body in (right, right, right, wrong, right)]
        first, second, *known = [PREDICTION_ID.sub(b"", ID.sub(b"", one)) for one in await ask(port, *sent)]
        assert first.startswith(b"HTTP/1.1 200 "), first
        assert b"x-model-version: 1" in first
        assert second == known[0] == known[2] == first
        assert known[1].startswith(b"HTTP/1.1 400 ")

    run(scenario())
