"""The little of HTTP that every dialect shares: reading a request, sending an answer, saying no."""

import asyncio
import itertools
import json
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cached_property
from typing import Any

from contract.errors import InvalidInput
from service import metrics
from service.errors import CallerGone, DeadlineExceeded, EngineFailed, NotReady, Overloaded, Refusal
from service.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

logger = logging.getLogger("bentoml.service")  # below the one that BentoML configures
access_log = logger.getChild("access")

JSON_TYPE: Header = (b"content-type", b"application/json")
TIMEOUT_HEADER = b"x-request-timeout-ms"
REQUEST_ID_HEADER = b"x-request-id"
MAX_REQUEST_ID_BYTES = 128
MAX_TIMEOUT_MS = 86_400_000  # a day
REFUSAL_STATUS: dict[type[Refusal], int] = {
    Overloaded: 429,
    DeadlineExceeded: 504,
    NotReady: 503,
    EngineFailed: 500,
    CallerGone: 499,  # nobody reads it; nginx's code for the log
}

_request_ids = itertools.count()
_process = f"{os.getpid():x}-{time.time_ns():x}-"


class BadRequest(Exception):
    """A request refused before its rows are looked at."""

    def __init__(self, status: int, message: str, *headers: Header) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Request:
    """One HTTP request: its headers at once, its body when asked for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.given_id: bytes | None = self.headers.get(REQUEST_ID_HEADER)
        self._receive = receive

    @cached_property
    def id(self) -> bytes:
        """The caller's request id if it is usable, else one of ours."""
        given = self.given_id or b""
        usable = 0 < len(given) <= MAX_REQUEST_ID_BYTES and given.isascii() and given.decode().isprintable()
        return given if usable else f"{_process}{next(_request_ids):x}".encode()

    async def read_body(self, max_bytes: int, timeout_s: float) -> bytes:
        """Return the whole body; raise BadRequest if it is larger than that many bytes or too slow.

        A body that is too large is read to its end and thrown away, up to ten times the limit:
        a client that is still sending would otherwise see a reset instead of the answer.
        """
        message = await self._receive()
        body: bytes = message.get("body", b"")
        size = len(body)
        if message.get("more_body") or not body:  # seldom: most bodies arrive with their headers
            try:
                async with asyncio.timeout(timeout_s):
                    body, size = await self._receive_rest(message, max_bytes)
            except TimeoutError:
                sentence = f"the body did not arrive within {timeout_s:g} s: send it faster or in parts"
                raise BadRequest(408, sentence, (b"connection", b"close")) from None
        if size > max_bytes:
            raise BadRequest(413, f"the body is larger than {max_bytes} bytes: send the rows in several requests")
        return body

    async def _receive_rest(self, message: Message, max_bytes: int) -> tuple[bytes, int]:
        """Return the body that begins with this message, as far as it is wanted, and its size."""
        chunks, size = [], 0
        while True:
            if message["type"] == "http.disconnect":
                raise CallerGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= max_bytes:
                chunks.append(chunk)
            if not message.get("more_body") or size > 10 * max_bytes:
                return b"".join(chunks), size
            message = await self._receive()

    async def wait_gone(self) -> None:
        """Return once the caller has disconnected; the body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def read_timeout_s(request: Request, settings: Settings) -> float:
    """Return the seconds the caller allows, from TIMEOUT_HEADER or the settings."""
    text = request.headers.get(TIMEOUT_HEADER)
    if text is None:
        return settings.request_timeout_s
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < MAX_TIMEOUT_MS:
        shown = text.decode("latin-1")
        wanted = f"expected milliseconds above 0 and below {MAX_TIMEOUT_MS}"
        raise BadRequest(400, f"{TIMEOUT_HEADER.decode()}: {wanted}, got {shown!r}")
    return milliseconds / 1000


async def respond(send: Send, request: Request, status: int, body: bytes, headers: Iterable[Header] = ()) -> None:
    """Send one whole JSON answer; it carries the request's id if the caller gave one or it is an error."""
    sent = [JSON_TYPE, (b"content-length", b"%d" % len(body)), *headers]
    if request.given_id is not None or status != 200:
        sent.append((REQUEST_ID_HEADER, request.id))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


def describe_error(error: Exception) -> tuple[int, dict[str, Any], tuple[Header, ...]]:
    """Return the status, the JSON body and the headers that tell a caller about an error."""
    if isinstance(error, InvalidInput):
        problems = [{"row": p.row, "field": p.field, "message": p.message} for p in error.problems]
        return 400, {"error": str(error), "problems": problems}, ()
    if isinstance(error, BadRequest):
        return error.status, {"error": str(error)}, error.headers
    if isinstance(error, Refusal):
        again = ((b"retry-after", b"%d" % error.retry_after_s),) if isinstance(error, Overloaded) else ()
        return REFUSAL_STATUS[type(error)], {"error": str(error)}, again
    logger.error("unexpected error", exc_info=error)
    return 500, {"error": "the service failed: its log says why"}, ()


def encode_json(details: dict[str, Any]) -> bytes:
    """Return JSON in UTF-8, whatever a caller's text holds: a lone surrogate is no UTF-8 and stays escaped."""
    return json.dumps(details, ensure_ascii=False).encode("utf-8", "backslashreplace")


def endpoint(protocol: str, settings: Settings, answer: Callable[[Request], Awaitable[bytes]]) -> App:
    """Wrap a function from request to JSON body into an ASGI app that counts, logs and reports errors."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        status = 200
        headers: tuple[Header, ...] = ()
        try:
            body = await answer(request)
        except Exception as error:  # the boundary: whatever happens, the caller gets JSON
            status, details, headers = describe_error(error)
            body = encode_json(details)
        await respond(send, request, status, body, headers)
        seconds = time.perf_counter() - started
        metrics.count_request(protocol, status, seconds)
        if random.random() < settings.access_log_sample:
            _log(request, status, seconds)

    return app


def _log(request: Request, status: int, seconds: float) -> None:
    trace = request.headers.get(b"traceparent", b"-").decode("latin-1")
    access_log.info(
        "%s %s %d %.2f ms id=%s trace=%s",
        *(request.method, request.path, status, 1000 * seconds, request.id.decode(), trace),
    )
