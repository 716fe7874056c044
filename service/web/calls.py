"""A call by gRPC-Web or Connect, from its request to its answer: gRPC's own, but for how it is written."""

import asyncio
from collections.abc import Awaitable, Callable

from ekiben.service.callers import wait_unless_gone
from ekiben.service.connections.admission import LATE
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import CallerGone, Overloaded
from ekiben.service.grpc.call import Reply, ServerState, UnaryCall, UnaryMethod, check_caller, describe_call, to_status
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.methods import AnyStreamMethod
from ekiben.service.grpc.stream import IDLE_S, MAX_MESSAGE_BYTES, StreamMethod
from ekiben.service.http.messages import Request, Response, Scope, Send
from ekiben.service.web.context import WebContext, WebStream
from ekiben.service.web.dialect import StreamDialect, UnaryDialect, take_one
from ekiben.service.web.json_messages import to_json
from ekiben.service.web.receiving import read_messages, take_message


async def answer_unary(
    method: UnaryMethod, path: str, dialect: UnaryDialect, scope: Scope, request: Request
) -> Response:
    """Return the answer to a call of one message."""
    call = UnaryCall(method, WebContext(scope, request, dialect))
    call.started -= request.waited_s
    call.call.began -= request.waited_s
    code = Code.OK
    try:
        check_late(scope, method.probe)
        call.check()
        return dialect.write(await _answer(call, path, dialect, request))
    except CallerGone:
        code = Code.CANCELLED
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
    method: AnyStreamMethod,
    path: str,
    dialect: StreamDialect,
    scope: Scope,
    request: Request,
    send: Send,
    state: ServerState,
) -> None:
    """Answer a call by several messages, until its caller goes."""
    begin = begin_once(send, dialect.content_type)

    async def write(message: bytes) -> None:
        await begin()
        content = await to_json(path, message) if dialect.json else message
        await send({"type": "http.response.body", "body": dialect.pack(content), "more_body": True})

    messages: list[bytes] = []
    try:
        check_late(scope, method.probe)
        if not method.probe:  # before the body is read
            check_caller(state.authenticator, WebContext(scope, request, dialect))
        max_bytes = MAX_MESSAGE_BYTES if isinstance(method, StreamMethod) else state.settings.max_body_bytes
        await _read_questions(path, dialect, request, state, max_bytes, messages)
        serving = asyncio.ensure_future(method.serve(WebStream(scope, request, dialect, messages, write)))
        status = await wait_unless_gone(serving, request.wait_gone)
    except CallerGone:
        return
    except Exception as error:  # the boundary, as for a call
        status = to_status(error, describe_call(path))
    finally:
        state.budget.give(sum(map(len, messages)))
    await begin()
    await send({"type": "http.response.body", "body": dialect.finish(status)})


async def _read_questions(
    path: str, dialect: StreamDialect, request: Request, state: ServerState, max_bytes: int, messages: list[bytes]
) -> None:
    """Append all that is asked; the bytes are taken from the budget."""
    try:
        for given in await read_messages(state, request, dialect, max_bytes, IDLE_S):
            message = await take_message(state, dialect, given, path)
            messages += (message,)  # one by one: those before a bad one were taken, too
    finally:
        state.budget.give(request.taken)
        request.taken = 0


def begin_once(send: Send, content_type: bytes) -> Callable[[], Awaitable[None]]:
    """Return what sends the head of an answer unless it was sent."""
    begun = False

    async def begin() -> None:
        nonlocal begun
        if not begun:
            begun = True
            headers = [(b"content-type", content_type)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})

    return begin


def check_late(scope: Scope, probe: bool) -> None:
    """Raise Overloaded if the request would have been rejected unread, had that been possible; probes come in."""
    if LATE in scope and scope["method"] == "POST" and not probe:
        raise Overloaded(RETRY_AFTER_S)
