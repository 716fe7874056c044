"""One version of a model as it answers: its rows' way to the engine, and its handlers in every protocol."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ekiben.model.package import PackedModel
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response
from ekiben.service.monitoring.overview import Overview
from ekiben.service.monitoring.series import Judge
from ekiben.service.protocols.protocol import Call, Protocol
from ekiben.service.row_log.logs import Logs
from ekiben.service.row_log.watched_labels import WatchedLabels
from ekiben.service.shadow.opening import Challenger
from ekiben.service.telemetry import metrics

AnswerRequest = Callable[[Request], Awaitable[bytes | Response]]
AnswerCall = Callable[[Any, Call], Awaitable[Any]]
Key = tuple[str, str]  # of a route, its method and path; of a gRPC method, its service and name


class Calls:
    """Counts the calls that a version still has to answer."""

    __slots__ = ("_then", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self._then: Callable[[], None] | None = None

    def leave(self) -> None:
        """Count one less."""
        self.under_way -= 1
        if self._then is not None and not self.under_way:
            self._end()

    def after_last(self, then: Callable[[], None]) -> None:
        """Call `then` once no call is under way; there must come no more."""
        self._then = then
        if not self.under_way:
            self._end()

    def _end(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()


@dataclass(frozen=True)
class Watching:
    """What shows what a version has answered: nothing but the reason, if that is not counted."""

    protocol: Protocol = field(default_factory=lambda: Protocol("monitoring"))
    overview: Overview | None = None
    prepare_series: Callable[[], Judge] | None = None


@dataclass(frozen=True, eq=False)
class Serving:
    """An immutable value: a call that has got it is answered by it to its end, whatever takes its place meanwhile.

    So rows that one version has encoded never meet the engine of another: each has its own queue.
    """

    model: PackedModel
    dataplane: Dataplane
    logs: Logs
    protocols: tuple[Protocol, ...]
    watching: Watching = field(default_factory=Watching)
    challenger: Challenger | None = None  # that answers in its shadow, or why there is none
    labels: WatchedLabels | None = None  # if any are taken
    calls: Calls = field(default_factory=Calls)
    requests: Mapping[Key, AnswerRequest] = field(init=False)
    methods: Mapping[Key, AnswerCall] = field(init=False)
    version: bytes = field(init=False)  # as headers carry it

    def __post_init__(self) -> None:
        # What stands first wins, as in the router.
        requests = [((route.method, route.path), route.answer) for one in self.protocols for route in one.routes]
        methods = [
            ((service, name), method.answer)
            for one in self.protocols
            for service, methods in one.services.items()
            for name, method in methods.items()
        ]
        object.__setattr__(self, "requests", dict(reversed(requests)))
        object.__setattr__(self, "methods", dict(methods))
        object.__setattr__(self, "version", self.model.version.encode())

    async def answer(self, key: Key, request: Request) -> bytes | Response:
        """Answer a request over HTTP."""
        request.model_version = self.version
        calls = self.calls
        calls.under_way += 1
        try:
            return await self.requests[key](request)
        finally:
            calls.leave()

    async def answer_call(self, key: Key, request: Any, call: Call) -> Any:
        """Answer a call over gRPC."""
        call.model_version = self.version
        calls = self.calls
        calls.under_way += 1
        try:
            return await self.methods[key](request, call)
        finally:
            calls.leave()

    async def close(self) -> None:
        """Stop the engines and write what is left; no call may be under way."""
        if self.challenger:
            self.challenger.close()
        self.dataplane.close()
        self.dataplane.explanations.count()
        metrics.count_model(self.model.name, self.model.version, self.dataplane.recorder.take())
        await self.logs.close_rows()
        if self.watching.overview:
            self.watching.overview.close()
