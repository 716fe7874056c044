"""One gRPC call from its first byte to its status.

Its handlers are of gRPC's streaming kind, though a call has one message: gRPC reads the message of a unary call before
anyone can object. And errors are set, not raised: `context.abort` leaves a cycle of context, error, frame and context,
with all that the frame holds, for the garbage collector.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from ekiben.service.auth import Authenticator
from ekiben.service.canary.run import REQUEST_ID_HEADER
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.error_status import HTTP_STATUS, ErrorResponse, hide_details, to_error_response
from ekiben.service.errors import DeadlineExceeded, Overloaded, RequestRejected, clear_tracebacks
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.grpc.message_reader import MessageReceiver
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
    receiver: MessageReceiver
    max_values: int  # of one field of a message
    note_call: Callable[[], None]  # called with each call
    in_progress: int = 0  # calls whose message is here
    max_in_progress: int = field(init=False)

    def __post_init__(self) -> None:
        self.max_in_progress = max(MIN_CALL_LIMIT, int(self.settings.max_wait_s / CALL_S))


def handle_call(state: ServerState, method: Method, protocol: str = "", path: str = "") -> Any:
    """Return gRPC's handler for a method; without a protocol it is not counted in the metrics, nor logged."""
    access, tracing = share_access_log(state.settings.access_log_sample), get_tracing() if protocol else None

    async def handle(messages: Any, context: Any) -> bytes:
        started = time.perf_counter()
        state.note_call()
        code = grpc.StatusCode.OK
        call = Call(0.0, metadata=context.invocation_metadata)
        if tracing is not None:
            call.trace = tracing.begin_grpc(protocol, path, context.invocation_metadata() or ())
        try:
            return await _answer(state, method, call, context)
        except asyncio.CancelledError:  # nobody waits for the answer any more
            code = _reason_to_cancel(context)
            raise
        except Exception as error:  # the boundary: whatever happens, the caller gets a status code
            if protocol and isinstance(error, RequestRejected):
                metrics.count_rejected(protocol, error.reason)
            hidden = method.probe and not state.authenticator.accepts(_authorizations(context))
            code = report(context, error, lambda: _describe(protocol, path, call), hidden)
            return b""
        finally:
            if protocol:
                seconds = time.perf_counter() - started
                metrics.count_request(protocol, code.name, seconds)
                status = HTTP_STATUS[code]
                if call.trace is not None:
                    call.trace.end(status, call.answered, grpc_status=code.value[0])
                if access.wants(status):
                    access.write(_describe(protocol, path, call), status, seconds, call.answered, code.name)

    return grpc.stream_unary_rpc_method_handler(handle)


def _describe(protocol: str, path: str, call: Call) -> Asked:
    given = find_usable(call.read_header(REQUEST_ID_HEADER))
    ids = None if call.trace is None else call.trace.ids
    return Asked(protocol, "gRPC", path.encode(), given, call.read_header(b"traceparent"), ids)


async def _answer(state: ServerState, method: Method, call: Call, context: Any) -> bytes:
    if not method.probe:
        check_token(state.authenticator, context)
        if state.in_progress >= state.max_in_progress:
            raise Overloaded(RETRY_AFTER_S)
    call.timeout_s = _timeout_s(context, state.settings)
    body = await state.receiver.receive(context, call.timeout_s)
    size = len(body)
    state.in_progress += 1
    try:
        if size > LARGE_BYTES:
            call.large = True
            request = await call.run(parse, method.request, body, state.max_values)
        else:
            request = parse(method.request, body, state.max_values)
        del body  # its rows are in the request
        answered = await method.answer(request, call)
        trailers = [(name.decode(), value.decode()) for name, value in ignored_header(call.ignored)]
        if call.prediction_id:
            by = (VERSION_METADATA, call.model_version.decode())
            trailers += [(METADATA, call.prediction_id.decode()), by]
        if trailers:
            context.set_trailing_metadata(tuple(trailers))
        return bytes(answered.SerializeToString())
    finally:
        call.gone = True
        state.in_progress -= 1
        state.receiver.budget.give(size)
        if call.large:
            trim_soon()


def check_token(authenticator: Authenticator, context: Any) -> None:
    """Raise BadRequest unless the call carries the token that is asked for."""
    if authenticator.required:
        authenticator.check(_authorizations(context))


def _authorizations(context: Any) -> list[bytes]:
    given = context.invocation_metadata() or ()
    values = (value for name, value in given if name == "authorization")
    return [value.encode() if isinstance(value, str) else bytes(value) for value in values]


def report(context: Any, error: Exception, describe: Callable[[], Asked], hidden: bool = False) -> grpc.StatusCode:
    """Set the status that tells a caller of an error, its details `hidden` or not, and return its code."""
    error_response = to_error_response(error, describe)
    if hidden:
        error_response = hide_details(error_response)
    clear_tracebacks(error)
    context.set_code(error_response.code)
    context.set_details(_clip(error_response.message))
    context.set_trailing_metadata(_trailers(error_response))
    return error_response.code


def _timeout_s(context: Any, settings: Settings) -> float:
    left_s = context.time_remaining()
    if left_s is None:
        return settings.request_timeout_s
    if left_s <= 0:
        raise DeadlineExceeded
    return min(float(left_s), settings.max_timeout_s)


def _reason_to_cancel(context: Any) -> grpc.StatusCode:
    """Return why gRPC gave up a call: its caller did, or its deadline passed."""
    late = context.time_remaining() == 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


def _clip(sentence: str) -> str:
    encoded = sentence.encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_STATUS_BYTES:
        encoded = encoded[:MAX_STATUS_BYTES] + b"..."
    return encoded.decode("utf-8", "ignore")


def _trailers(error_response: ErrorResponse) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode(), value.decode()) for name, value in error_response.headers)
