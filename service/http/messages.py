"""The little of HTTP that every protocol shares: reading a request, sending an answer."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ekiben.contract.field_fitting import Ignored
from ekiben.service.canary.run import REQUEST_ID_HEADER, Drawn
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, CallerGone, DeadlineExceeded, Overloaded
from ekiben.service.http.ignored_columns import ignored_header
from ekiben.service.logs.access import Asked
from ekiben.service.prediction_ids import HEADER as PREDICTION_ID_HEADER
from ekiben.service.prediction_ids import find_usable

if TYPE_CHECKING:  # OpenTelemetry is imported only where it is asked for
    from ekiben.service.tracing.spans import RequestSpan

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON_TYPE = b"application/json"
MODEL_VERSION_HEADER = b"x-model-version"
RANDOM_ID_BYTES = 16


@dataclass(slots=True)  # not frozen: that would cost half a microsecond
class Response:
    """An answer that is more than JSON with status 200."""

    body: bytes
    headers: tuple[Header, ...] = ()
    status: int = 200
    content_type: bytes = JSON_TYPE


class Request:
    """One HTTP request: its headers at once, its body when asked for."""

    rows: int = 0  # that were answered; these six are the class's until they are known, which costs nothing
    model: str = ""  # that they were asked of
    trace: "RequestSpan | None" = None  # if it is traced
    ignored: Ignored = ()  # fields of its rows that were left out
    one_a_turn: bool = False  # what arrives together is read in one turn
    body: bytes | None = None  # if it came with the head, is small and not packed

    def __init__(self, scope: Scope, receive: Receive, waited_s: float = 0.0) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path", b"")  # as it came: percent-encoded
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.parameters: Mapping[str, str] = scope.get("path_params", {})  # of the route's template
        self.given_id: bytes | None = self.headers.get(REQUEST_ID_HEADER)
        self.own_id = find_usable(self.given_id)
        self.prediction_id = b""  # of the answer, if it is one to rows
        self.drawn: Drawn | None = None  # if a canary has chosen the version that answers
        self.model_version = b""  # that answers
        self.waited_s = waited_s  # since it arrived, before it was read
        self.taken = 0  # bytes of the budget for bodies
        self._began = time.monotonic() - waited_s
        self._receive = receive

    @cached_property
    def id(self) -> bytes:
        """The caller's request id if it is usable, else one of ours."""
        return find_usable(self.given_id) or os.urandom(RANDOM_ID_BYTES).hex().encode()

    def describe(self, protocol: str) -> Asked:
        """Return what the log says of the request."""
        ids = None if self.trace is None else self.trace.ids
        return Asked(protocol, self.method, self.raw_path, self.id, self.headers.get(b"traceparent", b""), ids)

    @property
    def answered(self) -> dict[str, object]:
        """What the access log says of the answer."""
        return {"rows": self.rows, "model": self.model, "version": self.model_version.decode()}

    def read_header(self, name: bytes) -> bytes:
        """Return a header, b"" if there is none."""
        return self.headers.get(name, b"")

    def left_s(self, timeout_s: float) -> float:
        """Return the seconds that are left of those since the request arrived; raise DeadlineExceeded if none are."""
        left_s = timeout_s - (time.monotonic() - self._began)
        if left_s <= 0:
            raise DeadlineExceeded
        return left_s

    async def read_body(self, max_bytes: int, timeout_s: float, budget: ByteBudget) -> bytes:
        """Return the whole body; `budget.give` of what is `taken` must follow.

        Raises BadRequest if it is larger than that many bytes or too slow, Overloaded if there is no room for it. What
        still comes of such a body the connection throws away: a caller that is sending would see a reset instead of
        the answer.
        """
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body") or not body:  # seldom: most bodies arrive with their headers
            declared = self.headers.get(b"content-length", b"")
            if declared.isdigit():
                check_size(int(declared), max_bytes, budget)
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._receive_rest(message, max_bytes, budget)
            except TimeoutError:
                sentence = f"the body did not arrive within {timeout_s:g} s: send it faster or in parts"
                raise BadRequest(408, sentence, (b"connection", b"close")) from None
        check_size(len(body), max_bytes)
        return body

    async def _receive_rest(self, message: Message, max_bytes: int, budget: ByteBudget) -> bytes:
        """Return the body that begins with this message."""
        chunks = []
        while True:
            if message["type"] == "http.disconnect":
                raise CallerGone
            if chunk := message.get("body", b""):
                check_size(self.taken + len(chunk), max_bytes)
                if not budget.take(len(chunk)):
                    raise Overloaded(RETRY_AFTER_S)
                self.taken += len(chunk)
                chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)
            message = await self._receive()

    async def wait_gone(self) -> None:
        """Return once the caller has disconnected; the body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def check_size(size: int, max_bytes: int, budget: ByteBudget | None = None) -> None:
    """Raise BadRequest if a body of that many bytes is too large, Overloaded if there is no room for it now."""
    if size > max_bytes:
        raise BadRequest(413, f"the body is larger than {max_bytes} bytes: send the rows in several requests")
    if budget and budget.taken + size > budget.limit:
        raise Overloaded(RETRY_AFTER_S)


async def respond(send: Send, request: Request, response: Response) -> None:
    """Send one whole answer."""
    headers = list_headers(request, response)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def list_headers(request: Request, response: Response) -> list[Header]:
    """Return an answer's headers: it carries the request's id if the caller gave one or it is an error.

    Predictions carry theirs, the version of the model that they are by, and what was left out of their rows.
    """
    kind, size = response.content_type, b"%d" % len(response.body)
    sent = [(b"content-type", kind), (b"content-length", size), *response.headers]
    if request.given_id is not None or response.status != 200:
        sent.append((REQUEST_ID_HEADER, request.id))
    if request.prediction_id and response.status == 200:
        sent += (PREDICTION_ID_HEADER, request.prediction_id), (MODEL_VERSION_HEADER, request.model_version)
    return [*sent, *ignored_header(request.ignored)] if request.ignored and response.status == 200 else sent


def encode_json(details: Mapping[str, Any]) -> bytes:
    """Return JSON in UTF-8, whatever a caller's text holds: a lone surrogate is not UTF-8 and stays escaped."""
    return json.dumps(details, ensure_ascii=False).encode("utf-8", "backslashreplace")
