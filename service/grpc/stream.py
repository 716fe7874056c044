"""Streams that outlive one answer, Watch and reflection: any caller may open them, so few of them may be open."""

from collections.abc import Awaitable, Callable

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import ServerState, check_caller, describe_call, to_status
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status, StreamContext
from ekiben.service.grpc.message_limit import MessageLimit
from ekiben.service.lifecycle.memory import trim_soon

MAX_MESSAGE_BYTES = 4096  # of a question that is a name
IDLE_S = 30.0  # that a stream may be silent whose turn it is to ask
Receive = Callable[[], Awaitable[bytes | None]]  # the next question, None after the last
Stream = Callable[[Receive, StreamContext], Awaitable[None]]  # it writes to the context


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


class StreamMethod:
    """A method of streams of questions; `probe`: it needs no token."""

    message_limit = MessageLimit(MAX_MESSAGE_BYTES, "ask for one thing", 413)

    def __init__(self, state: ServerState, limit: StreamLimit, answer: Stream, probe: bool = False) -> None:
        self._state, self._limit, self._answer, self.probe = state, limit, answer, probe

    async def serve(self, context: StreamContext) -> Status:
        """Answer a stream to its end."""

        async def receive() -> bytes | None:
            message = await context.read(IDLE_S, reserve=self.probe)
            if (size := len(message or b"")) > MAX_MESSAGE_BYTES:
                raise self.message_limit.make_error(size)
            return message

        try:
            if not self.probe:
                check_caller(self._state.authenticator, context)
            with self._limit:
                await self._answer(receive, context)
        except Exception as error:  # the boundary, as for a call
            return to_status(error, describe_call("a stream"))
        return Status(Code.OK)
