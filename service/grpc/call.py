"""One gRPC call of one message, from its head to its status, whichever server it came in by.

A server makes a `UnaryCall` of each head, lets it `check` the caller, hands it the message to `answer`, and sends what
that returns, or the status that `fail` makes of an error; `end` counts and logs the call.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ekiben.service.auth import NO_CERTIFICATE, Authenticator
from ekiben.service.canary.run import REQUEST_ID_HEADER
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.error_status import HTTP_STATUS, ErrorResponse, hide_details, to_error_response
from ekiben.service.errors import BadRequest, DeadlineExceeded, Overloaded, RequestRejected, clear_tracebacks
from ekiben.service.grpc.codes import NAMES, Code
from ekiben.service.grpc.context import Context, Status, find_values
from ekiben.service.grpc.message_limit import MessageLimit
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.http.ignored_columns import ignored_header
from ekiben.service.http.messages import MODEL_VERSION_HEADER
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.logs.access import Asked, share_access_log
from ekiben.service.offload import LARGE_BYTES
from ekiben.service.prediction_ids import METADATA, find_usable
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.tracing.process import get_tracing

MAX_STATUS_BYTES = 2000  # of an error's sentence: clients take no more than 8 KB of trailers, and %-encoded it triples
VERSION_METADATA = MODEL_VERSION_HEADER.decode()
CALL_S = 0.0002  # the least that a call costs the event loop, whatever the queue makes of it
MIN_CALL_LIMIT = 100  # under way that are never too many


@dataclass
class ServerState:
    """The state that all calls to one server share."""

    settings: Settings
    authenticator: Authenticator
    budget: ByteBudget  # of messages under way
    max_values: int  # of one field of a message
    in_progress: int = 0  # calls whose message is here
    max_in_progress: int = field(init=False)
    message_limit: MessageLimit = field(init=False)

    def __post_init__(self) -> None:
        self.message_limit = MessageLimit(self.settings.max_body_bytes)
        self.max_in_progress = max(MIN_CALL_LIMIT, int(self.settings.max_wait_s / CALL_S))


class Reply(NamedTuple):
    """The message that answers a call, and the metadata that follows it."""

    message: bytes
    trailers: list[tuple[str, str]]


class UnaryMethod:
    """A method of one message; without a protocol its calls are not counted in the metrics, nor logged."""

    def __init__(self, state: ServerState, method: Method, protocol: str = "", path: str = "") -> None:
        self.state, self.method, self.protocol = state, method, protocol
        self.path, self.probe = path.encode(), method.probe
        self.access = share_access_log(state.settings.access_log_sample)
        self.tracing = get_tracing() if protocol else None


class UnaryCall:
    """One call of such a method."""

    __slots__ = ("call", "context", "method", "started", "taken")

    def __init__(self, method: UnaryMethod, context: Context, one_a_turn: bool = False) -> None:
        self.method, self.context = method, context
        self.started = time.perf_counter()
        self.taken = 0  # bytes of the budget, for its message
        self.call = Call(0.0, metadata=context.metadata, one_a_turn=one_a_turn)
        if method.tracing is not None:
            self.call.trace = method.tracing.begin_grpc(method.protocol, method.path.decode(), context.metadata())

    def check(self) -> None:
        """Raise what rejects the call, whatever its message."""
        state = self.method.state
        if not self.method.probe:
            check_caller(state.authenticator, self.context)
            if state.in_progress >= state.max_in_progress:
                raise Overloaded(RETRY_AFTER_S)
        self.call.timeout_s = find_timeout_s(self.context, state.settings)

    async def answer(self, body: bytes) -> Reply:
        """Answer the message, whose bytes were `taken` from the budget."""
        state, method, call = self.method.state, self.method.method, self.call
        state.in_progress += 1
        try:
            if len(body) > LARGE_BYTES:
                call.large = True
                request = await call.run(parse, method.request, body, state.max_values)
            else:
                request = parse(method.request, body, state.max_values)
            del body  # its rows are in the request
            answered = await method.answer(request, call)
            return Reply(answered.SerializeToString(), list_trailers(call))
        finally:
            call.gone = True
            state.in_progress -= 1
            self.release()
            if call.large:
                trim_soon()

    def release(self) -> None:
        """Give back what was taken for the message."""
        if self.taken:
            self.method.state.budget.give(self.taken)
            self.taken = 0

    def fail(self, error: Exception) -> Status:
        """Return the status that tells the caller of an error."""
        method = self.method
        if method.protocol and isinstance(error, RequestRejected):
            metrics.count_rejected(method.protocol, error.reason)
        hidden = method.probe and not is_known(method.state.authenticator, self.context)
        return to_status(error, self._describe, hidden)

    def end(self, code: Code) -> None:
        """Count and log the call."""
        method, call = self.method, self.call
        if not method.protocol:
            return
        seconds = time.perf_counter() - self.started
        metrics.count_request(method.protocol, NAMES[code], seconds)
        status = HTTP_STATUS[code]
        if call.trace is not None:
            call.trace.end(status, call.answered, grpc_status=code.value)
        if method.access.wants(status):
            method.access.write(self._describe(), status, seconds, call.answered, code.name)

    def _describe(self) -> Asked:
        call = self.call
        given = find_usable(call.read_header(REQUEST_ID_HEADER))
        ids = None if call.trace is None else call.trace.ids
        return Asked(self.method.protocol, "gRPC", self.method.path, given, call.read_header(b"traceparent"), ids)


def list_trailers(call: Call) -> list[tuple[str, str]]:
    """Return the metadata that follows a call's answer."""
    trailers = [(name.decode(), value.decode()) for name, value in ignored_header(call.ignored)]
    if call.prediction_id:
        trailers += [(METADATA, call.prediction_id.decode()), (VERSION_METADATA, call.model_version.decode())]
    return trailers


def check_caller(authenticator: Authenticator, context: Context) -> None:
    """Raise BadRequest unless the call carries the certificate and the token that are asked for."""
    if context.uncertified:
        raise BadRequest(401, NO_CERTIFICATE)
    if authenticator.required:
        authenticator.check(find_values(context, "authorization"))


def is_known(authenticator: Authenticator, context: Context) -> bool:
    """Return whether a call carries both."""
    return not context.uncertified and authenticator.accepts(find_values(context, "authorization"))


def to_status(error: Exception, describe: Callable[[], Asked], hidden: bool = False) -> Status:
    """Return the status that tells a caller of an error, its details `hidden` or not."""
    error_response = to_error_response(error, describe)
    if hidden:
        error_response = hide_details(error_response)
    clear_tracebacks(error)
    return Status(error_response.code, _clip(error_response.message), _list_headers(error_response))


def find_timeout_s(context: Context, settings: Settings) -> float:
    """Return how long a call may take; raise DeadlineExceeded if its deadline has passed."""
    left_s = context.time_left_s()
    if left_s is None:
        return settings.request_timeout_s
    if left_s <= 0:
        raise DeadlineExceeded
    return min(left_s, settings.max_timeout_s)


def _clip(sentence: str) -> str:
    encoded = sentence.encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_STATUS_BYTES:
        encoded = encoded[:MAX_STATUS_BYTES] + b"..."
    return encoded.decode("utf-8", "ignore")


def _list_headers(error_response: ErrorResponse) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in error_response.headers]


def describe_call(path: str) -> Callable[[], Asked]:
    """Return what describes a call that no metrics count."""
    return lambda: Asked("", "gRPC", path.encode(), b"", b"")
