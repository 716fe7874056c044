"""Streams that outlive one answer, Watch and reflection: any caller may open them, so few of them may be open."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import ServerState, check_token, report
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.logs.access import Asked

MAX_MESSAGE_BYTES = 4096  # of a question that is a name
IDLE_S = 30.0  # that a stream may be silent whose turn it is to ask
Receive = Callable[[], Awaitable[bytes | None]]  # the next question, None after the last
Stream = Callable[[Receive, Any], Awaitable[None]]  # it writes to the context


class StreamLimit:
    """How many streams of one kind may be open."""

    def __init__(self, most: int, kind: str) -> None:
        self._most = most
        self._kind = kind
        self._open = 0

    def __enter__(self) -> None:
        if self._open >= self._most:
            trim_soon()  # thousands may come at once
            raise BadRequest(429, f"there are {self._most} {self._kind} streams already: try again later")
        self._open += 1

    def __exit__(self, *_: object) -> None:
        self._open -= 1


def handle_stream(state: ServerState, limit: StreamLimit, answer: Stream, probe: bool = False) -> Any:
    """Return gRPC's handler for a stream; `probe`: it needs no token."""

    async def handle(messages: Any, context: Any) -> None:
        async def receive() -> bytes | None:
            message = await state.receiver.read(context, IDLE_S, reserve=probe)
            if len(message or b"") > MAX_MESSAGE_BYTES:
                raise BadRequest(413, f"the message is larger than {MAX_MESSAGE_BYTES} bytes: ask for one thing")
            return message

        try:
            if not probe:
                check_token(state.authenticator, context)
            with limit:
                await answer(receive, context)
        except Exception as error:  # the boundary, as for a call
            report(context, error, lambda: Asked("", "gRPC", b"a stream", b"", b""))

    return grpc.stream_stream_rpc_method_handler(handle)
