"""Streams as calls, and those that outlive one answer, Watch and reflection: few of one kind may be open at once."""

import asyncio
from collections.abc import Awaitable, Callable

from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status, StreamContext
from ekiben.service.grpc.message_limit import MessageLimit
from ekiben.service.grpc.record import CallRecord, ServedMethod, ServerState
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


class StreamCall(CallRecord):
    """A stream as one call: its caller is checked, its deadline is kept, and it is logged, whoever serves it."""

    __slots__ = ("asked",)

    def __init__(self, method: ServedMethod, context: StreamContext) -> None:
        super().__init__(method, context)
        self.asked = 0  # messages that are counted as calls of their own

    async def serve(self, limit: StreamLimit, answer: Callable[[], Awaitable[None]]) -> Status:
        """Answer the stream to its end; one of which nothing was asked is counted itself."""
        code = Code.CANCELLED
        try:
            self.check()
            with limit:
                await self._answer_in_time(answer)
            code = Code.OK
            return Status(code)
        except Exception as error:  # the boundary, as for a call
            status = self.fail(error)
            code = status.code
            return status
        finally:
            self.end(code, counted=not self.asked)

    async def _answer_in_time(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Answer until the caller's deadline, if it gave one: streams are as long as they like."""
        try:
            async with asyncio.timeout(self.context.time_left_s()) as deadline:
                await answer()
        except TimeoutError:
            if deadline.expired():
                raise DeadlineExceeded from None
            raise


class StreamMethod(ServedMethod):
    """A method of streams of questions, each of which is a name."""

    message_limit = MessageLimit(MAX_MESSAGE_BYTES, "ask for one thing", 413)

    def __init__(self, state: ServerState, limit: StreamLimit, answer: Stream, probe: bool = False) -> None:
        super().__init__(state, probe)
        self._limit, self._answer = limit, answer

    async def serve(self, context: StreamContext) -> Status:
        """Answer a stream to its end."""

        async def receive() -> bytes | None:
            message = await context.read(IDLE_S, reserve=self.probe)
            if (size := len(message or b"")) > MAX_MESSAGE_BYTES:
                raise self.message_limit.make_error(size)
            return message

        return await StreamCall(self, context).serve(self._limit, lambda: self._answer(receive, context))
