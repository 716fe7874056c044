"""Takes labels over HTTP and gRPC: POST /feedback[/MODEL], ekiben.v1.Feedback/Send."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any

import orjson

from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.protocol import Call, Method, Named, Protocol, Route
from ekiben.service.protos import message
from ekiben.service.row_log import operations
from ekiben.service.row_log.labels import Keep, LabelReader, Receipt
from ekiben.service.settings import Settings

PROTOCOL = "feedback"
PATH, NAMED_PATH = "/feedback", "/feedback/{model}"
SERVICE = "ekiben.v1.Feedback"
OFF = "no labels are kept here: start the service with LOG_FOLDER, or with LOG_SAMPLE above 0"
FeedbackRequest, FeedbackResponse = message("ekiben.v1.FeedbackRequest"), message("ekiben.v1.FeedbackResponse")


def build_feedback(keep: Keep | None, dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what labels register; without `keep` every call is answered with the reason."""
    api = Api(keep, dataplane, settings)
    operation = operations.SEND if keep else None
    methods = {"Send": Method(FeedbackRequest, api.send, select=select_model)}
    routes = tuple(Route("POST", path, api.post, operation=operation) for path in (PATH, NAMED_PATH))
    return Protocol(PROTOCOL, routes, {SERVICE: methods})


def select_model(request: Any) -> Named | None:
    """Return the model that a message names, if it names one."""
    return Named(request.model) if request.model else None


class Api:
    """Answers the calls."""

    def __init__(self, keep: Keep | None, dataplane: Dataplane, settings: Settings) -> None:
        self._keep = keep
        self._settings = settings
        self._bodies = BodyReader(dataplane, settings)
        self._reader = LabelReader(dataplane.model.schema.target, settings.max_request_rows)

    async def post(self, request: Request) -> bytes:
        timeout_s = read_timeout_s(request, self._settings)
        keep = self._check()
        labels, _ = await self._bodies.read(request, timeout_s, lambda body: (self._reader.read_body(body), None))
        return orjson.dumps(asdict(await _within(request.left_s(timeout_s), keep(labels))))

    async def send(self, request: Any, call: Call) -> Any:
        keep = self._check()
        labels = await call.run(lambda: self._reader.read([(one.id, _read_label(one)) for one in request.labels]))
        return FeedbackResponse(**asdict(await _within(call.left_s(), keep(labels))))

    def _check(self) -> Keep:
        if self._keep is None:
            raise BadRequest(404, OFF)
        return self._keep


async def _within(seconds: float, kept: Awaitable[Receipt]) -> Receipt:
    try:
        async with asyncio.timeout(seconds):
            return await kept
    except TimeoutError:
        raise DeadlineExceeded from None


def _read_label(label: Any) -> Any:
    kind = label.WhichOneof("label")
    return getattr(label, kind) if kind else None
