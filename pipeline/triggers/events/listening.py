"""Takes events over HTTP: POST /events, an event or a CloudEvent, and POST /alertmanager, Alertmanager's webhook.

Every call needs the token. A body is bounded while it arrives, so no caller takes more memory than `MAX_CALLS` of the
largest; each answer is JSON: what was decided of each event, or the one sentence of what is wrong.
"""

import asyncio
import hmac
import socket
import threading
from collections.abc import Collection
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ekiben.contract.errors import UserError
from ekiben.pipeline.triggers.events import alertmanager, event
from ekiben.pipeline.triggers.events.alertmanager import read_alerts
from ekiben.pipeline.triggers.events.cloud_event import read_event
from ekiben.pipeline.triggers.events.event import Event
from ekiben.pipeline.triggers.run import TOKEN
from ekiben.pipeline.triggers.watcher import Watcher
from ekiben.training.redaction import redact

MAX_CALLS = 64  # connections and calls at once; beyond, 503
MAX_HEAD_BYTES = 16 * 1024
BODY_TIMEOUT_S, END_TIMEOUT_S = 10.0, 5


class CannotListen(UserError):
    """The address can't be listened on."""


class Listener:
    """A server in a thread of its own."""

    def __init__(self, watcher: Watcher, address: tuple[str, int], token: str, instances: Collection[str]) -> None:
        """Listen; raise CannotListen if that is impossible. `instances` are the services' host:port."""
        host, port = address
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server(address, family=family)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CannotListen(f"--listen {host}:{port}: it can't be listened on ({reason}): name another") from None
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            build_application(watcher, token, instances), http="h11", ws="none", lifespan="off", log_config=None,
            log_level="error", access_log=False, server_header=False, limit_concurrency=MAX_CALLS,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES, timeout_graceful_shutdown=END_TIMEOUT_S,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, and close."""
        self._server.should_exit = True
        self._thread.join(2 * END_TIMEOUT_S)
        self._socket.close()


def build_application(watcher: Watcher, token: str, instances: Collection[str]) -> Starlette:
    """Return the application."""
    wanted = f"Bearer {token}".encode()

    async def take_event(request: Request) -> Response:
        content = await _read(request, wanted, event.MAX_BYTES)
        return await _offer([read_event(request.headers, content)])

    async def take_alerts(request: Request) -> Response:
        content = await _read(request, wanted, alertmanager.MAX_BYTES)
        return await _offer(read_alerts(content, watcher.model, instances))

    async def _offer(events: list[Event]) -> Response:
        decided = [await run_in_threadpool(watcher.offer, one) for one in events]
        said = [{"id": one.event and one.event.id, "train": one.train, "sentence": one.sentence} for one in decided]
        return JSONResponse({"decisions": said})

    routes = [
        Route("/events", take_event, methods=["POST"]),
        Route("/alertmanager", take_alerts, methods=["POST"]),
    ]
    rejections = {HTTPException: _answer_http, UserError: _answer_mistake, OSError: _answer_failure}
    return Starlette(routes=routes, exception_handlers=rejections)


async def _read(request: Request, wanted: bytes, limit: int) -> bytes:
    """Return the body; raise HTTPException without the token, of too many bytes, and of a sender that is too slow."""
    given = request.headers.get("authorization", "").encode("latin-1")
    if not hmac.compare_digest(given, wanted):
        raise HTTPException(401, f"send `Authorization: Bearer …` with the {TOKEN} of this watcher")
    length = request.headers.get("content-length", "0")
    too_large = HTTPException(413, f"the body has more than {limit:,} bytes: send less")
    if not (length.isascii() and length.isdigit()) or len(length) > 18 or int(length) > limit:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > limit:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_TIMEOUT_S:g} s: send it again") from None
    except ClientDisconnect:
        raise HTTPException(400, "the sender has gone") from None
    return bytes(content)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if sentence == HTTPStatus(error.status_code).phrase:  # the router's own
        sentence = f"{request.method} {request.url.path}: there is POST /events and POST /alertmanager"
    headers = dict(error.headers or {}) | ({"www-authenticate": "Bearer"} if error.status_code == 401 else {})
    return _reject(error.status_code, sentence, headers)


async def _answer_mistake(request: Request, error: Exception) -> Response:
    return _reject(400, str(error), {})


async def _answer_failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return _reject(503, f"nothing can be decided, for nothing can be noted ({error.strerror}): send it again", {})


def _reject(status: int, sentence: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": redact(sentence)}, status, {**headers, "connection": "close"})
