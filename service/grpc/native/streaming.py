"""A call of several messages on a stream: what comes waits until it is read, and so much of it that no more is read."""

import asyncio
from collections import deque

from ekiben.service.connections.http2.stream import Stream
from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.grpc.context import Metadata, Status
from ekiben.service.grpc.methods import AnyStreamMethod
from ekiben.service.grpc.native.answers import HEAD, send_status
from ekiben.service.grpc.native.head import CallHead
from ekiben.service.grpc.native.messages import Assembler, check_encoding
from ekiben.service.grpc.native.shared import Shared
from ekiben.service.grpc.native.timers import PROMPT_S
from ekiben.service.grpc.prefix import frame
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.unpacking import PACKED, unpack_message

MESSAGE_BYTES = 256  # that a waiting message takes besides its own


class StreamExchange:
    """One call; the handler of its stream, and the context of its method."""

    __slots__ = (
        "_assembler", "_begun", "_ended", "_failure", "_head", "_heard", "_inbox", "_max_bytes", "_reader", "_shared",
        "_state", "_stream", "_task",
    )  # fmt: skip

    def __init__(
        self,
        shared: Shared,
        stream: Stream,
        head: CallHead,
        method: AnyStreamMethod,
        state: ServerState,
    ) -> None:
        self._shared, self._head, self._state = shared, head, state
        self._stream: Stream | None = stream  # None: the call is over
        self._max_bytes = method.message_limit.max_bytes
        self._assembler = Assembler(state.budget, method.message_limit)
        self._inbox: deque[tuple[int, bytes]] = deque()  # messages, and whether each is packed
        self._failure: Exception | None = None  # why no more can come
        self._begun = self._heard = self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = shared.loop.create_task(self._serve(method))

    @property
    def one_a_turn(self) -> bool:
        return False

    @property
    def uncertified(self) -> bool:
        return self._head.uncertified

    def interrupt(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._wake()

    def metadata(self) -> Metadata:
        return self._head.metadata()

    def time_left_s(self) -> float | None:
        return self._head.time_left_s()

    def data_received(self, data: bytes) -> None:
        if self._stream is None or self._failure is not None:
            return
        self._heard = True
        try:
            for one in self._assembler.take(data):
                self._inbox.append(one)
                self._note_waiting(MESSAGE_BYTES + len(one[1]))
        except Exception as error:  # the boundary: whatever happens, the caller gets a status code
            self._failure = error
        self._wake()

    def end_received(self) -> None:
        if self._assembler.amid:
            self._failure = self._failure or BadRequest(400, "the message ends too soon")
        self._heard = self._ended = True
        self._wake()

    def reset_received(self, error_code: int) -> None:
        self._cancel()

    async def read(self, timeout_s: float, reserve: bool) -> bytes | None:
        until = self._shared.loop.time() + timeout_s
        while not self._inbox:  # a part of a message wakes, too
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            left_s = until - self._shared.loop.time()
            if left_s <= 0:
                raise DeadlineExceeded
            await self._wait(left_s)
        return await self._take()

    async def write(self, message: bytes) -> None:
        stream = self._stream
        if stream is None:
            return
        if not self._begun:
            self._begun = True
            stream.send_head(200, HEAD)
        stream.send_data(frame(message))
        await stream.drain()

    async def _serve(self, method: AnyStreamMethod) -> None:
        try:
            status = await method.serve(self)
            if not self._heard:  # grpcio's client takes a status for an error of its own while it sends
                await self._wait(PROMPT_S)
            self._end(status)
        except asyncio.CancelledError:
            self._cancel()
            raise

    async def _wait(self, timeout_s: float) -> None:
        """Return once something has come, or the time is over."""
        self._reader = self._shared.loop.create_future()
        timer = self._shared.loop.call_later(timeout_s, self._wake)
        try:
            await self._reader
        finally:
            timer.cancel()
            self._reader = None

    async def _take(self) -> bytes:
        """Return the first message that waits; its bytes count no more."""
        flag, message = self._inbox.popleft()
        self._state.budget.give(len(message))
        self._note_waiting(-MESSAGE_BYTES - len(message))
        if flag:
            check_encoding(self._head.encoding)
        if flag or message.startswith(PACKED):
            message = await unpack_message(message, self._state.budget, self._max_bytes)
            self._state.budget.give(len(message))
        return message

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _note_waiting(self, change: int) -> None:
        if self._stream is not None:
            self._stream.connection.count_buffered(change)

    def _cancel(self) -> None:
        task = self._task
        self._finish()
        if task is not None:
            task.cancel()

    def _end(self, status: Status) -> None:
        if self._stream is not None:
            send_status(self._stream, status, self._begun)
            self._finish()

    def _finish(self) -> None:
        """Let go of all that the call holds."""
        if self._stream is None:
            return
        self._note_waiting(-sum([MESSAGE_BYTES + len(message) for _, message in self._inbox]))
        self._state.budget.give(sum([len(message) for _, message in self._inbox]))
        self._assembler.drop()
        self._inbox.clear()
        self._stream = self._task = None
