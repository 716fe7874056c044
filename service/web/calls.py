"""A call by gRPC-Web or Connect, from its request to its answer: gRPC's own, but for how it is written."""

import asyncio

from ekiben.service.callers import wait_unless_gone
from ekiben.service.connections.admission import LATE
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import CallerGone, Overloaded
from ekiben.service.grpc.call import Reply, UnaryCall, UnaryMethod
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.methods import AnyStreamMethod
from ekiben.service.http.messages import Request, Response, Scope, Send
from ekiben.service.web.context import WebContext
from ekiben.service.web.dialect import StreamDialect, UnaryDialect, take_one
from ekiben.service.web.json_messages import to_json
from ekiben.service.web.receiving import read_messages, take_message
from ekiben.service.web.stream import WebStream


async def answer_unary(
    method: UnaryMethod, path: str, dialect: UnaryDialect, scope: Scope, request: Request
) -> Response:
    """Return the answer to a call of one message."""
    call = UnaryCall(method, WebContext(scope, request, dialect))
    call.started -= request.waited_s
    call.call.began -= request.waited_s
    code = Code.CANCELLED
    try:
        if is_late(scope, method.probe):
            raise Overloaded(RETRY_AFTER_S)
        call.check()
        response = dialect.write(await _answer(call, path, dialect, request))
        code = Code.OK
        return response
    except CallerGone:
        return dialect.fail(Status(code))  # which nobody reads
    except Exception as error:  # the boundary: whatever happens, the caller gets a status
        status = call.fail(error)
        code = status.code
        return dialect.fail(status)
    finally:
        call.end(code)


async def _answer(call: UnaryCall, path: str, dialect: UnaryDialect, request: Request) -> Reply:
    state = call.method.state
    max_bytes = state.settings.max_body_bytes
    try:
        given = await read_messages(state, request, dialect, max_bytes, call.call.left_s())
        message = await take_message(state, dialect, take_one(given), path)
        call.taken = len(message)
    finally:
        state.budget.give(request.taken)
        request.taken = 0
    answering = asyncio.ensure_future(call.answer(message))
    reply = await wait_unless_gone(answering, request.wait_gone)
    return reply._replace(message=await to_json(path, reply.message)) if dialect.json else reply


async def answer_stream(
    method: AnyStreamMethod, path: str, dialect: StreamDialect, scope: Scope, request: Request, send: Send
) -> None:
    """Answer a call by several messages, until its caller goes."""
    late = is_late(scope, method.probe)
    stream = WebStream(scope, request, dialect, path, send, method.state, method.message_limit.max_bytes, late)
    try:
        serving = asyncio.ensure_future(method.serve(stream))
        status = await wait_unless_gone(serving, stream.wait_gone)
    except CallerGone:
        return
    finally:
        stream.close()
    await stream.finish(status)


def is_late(scope: Scope, probe: bool) -> bool:
    """Return whether the request would have been rejected unread, had that been possible; probes come in."""
    return LATE in scope and scope["method"] == "POST" and not probe
