"""What is known and noted of every call, be it of one message or a stream: who calls, by when, and how it ended."""

import time
from dataclasses import dataclass, field

from ekiben.service.auth import NO_CERTIFICATE, Authenticator
from ekiben.service.canary.run import REQUEST_ID_HEADER
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.error_status import HTTP_STATUS
from ekiben.service.errors import BadRequest, DeadlineExceeded, Overloaded, RequestRejected
from ekiben.service.grpc.codes import NAMES, Code
from ekiben.service.grpc.context import Context, Status, find_values
from ekiben.service.grpc.failing import to_status
from ekiben.service.grpc.message_limit import MessageLimit
from ekiben.service.logs.access import Asked, share_access_log
from ekiben.service.prediction_ids import find_usable
from ekiben.service.protocols.protocol import Call
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.tracing.process import get_tracing

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


class ServedMethod:
    """A method; without a protocol its calls are not counted in the metrics, nor logged. `probe`: it needs no token."""

    def __init__(self, state: ServerState, probe: bool, protocol: str = "", path: str = "") -> None:
        self.state, self.probe, self.protocol, self.path = state, probe, protocol, path
        self.access = share_access_log(state.settings.access_log_sample)
        self.tracing = get_tracing() if protocol else None


class CallRecord:
    """One call of a method: `check` it, then answer it or `fail`, and `end` it."""

    __slots__ = ("call", "context", "method", "started")

    method: ServedMethod

    def __init__(self, method: ServedMethod, context: Context, one_a_turn: bool = False) -> None:
        self.method, self.context = method, context
        self.started = time.perf_counter()
        self.call = Call(0.0, metadata=context.metadata, one_a_turn=one_a_turn)
        if method.tracing is not None:
            self.call.trace = method.tracing.begin_grpc(method.protocol, method.path, context.metadata())

    def check(self) -> None:
        """Raise what rejects the call, whatever its messages."""
        state = self.method.state
        if not self.method.probe:
            check_caller(state.authenticator, self.context)
            if state.in_progress >= state.max_in_progress:
                raise Overloaded(RETRY_AFTER_S)
        self.call.timeout_s = find_timeout_s(self.context, state.settings)

    def fail(self, error: Exception) -> Status:
        """Return the status that tells the caller of an error."""
        method = self.method
        if method.protocol and isinstance(error, RequestRejected):
            metrics.count_rejected(method.protocol, error.reason)
        hidden = method.probe and not is_known(method.state.authenticator, self.context)
        return to_status(error, self._describe, hidden)

    def end(self, code: Code, counted: bool = True) -> None:
        """Log the call, and count it unless all that it asked was `counted` by itself."""
        method, call = self.method, self.call
        if not method.protocol:
            return
        seconds = time.perf_counter() - self.started
        if counted:
            metrics.count_request(method.protocol, NAMES[code], seconds)
        status = HTTP_STATUS[code]
        if call.trace is not None:
            call.trace.end(status, call.answered, grpc_status=code.value)
        if method.access.wants(status):
            method.access.write(self._describe(), status, seconds, call.answered, code.name)

    def _describe(self) -> Asked:
        call, method = self.call, self.method
        given = find_usable(call.read_header(REQUEST_ID_HEADER))
        ids = None if call.trace is None else call.trace.ids
        return Asked(method.protocol, "gRPC", method.path.encode(), given, call.read_header(b"traceparent"), ids)


def check_caller(authenticator: Authenticator, context: Context) -> None:
    """Raise BadRequest unless the call carries the certificate and the token that are asked for."""
    if context.uncertified:
        raise BadRequest(401, NO_CERTIFICATE)
    if authenticator.required:
        authenticator.check(find_values(context, "authorization"))


def is_known(authenticator: Authenticator, context: Context) -> bool:
    """Return whether a call carries both."""
    return not context.uncertified and authenticator.accepts(find_values(context, "authorization"))


def find_timeout_s(context: Context, settings: Settings) -> float:
    """Return how long a call may take; raise DeadlineExceeded if its deadline has passed."""
    left_s = context.time_left_s()
    if left_s is None:
        return settings.request_timeout_s
    if left_s <= 0:
        raise DeadlineExceeded
    return min(left_s, settings.max_timeout_s)
