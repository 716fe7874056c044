"""A call of one message on a stream: nothing is begun before its message is here and somebody wants to answer it."""

import asyncio

from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.grpc.call import UnaryCall, UnaryMethod
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import MESSAGE_MISSING
from ekiben.service.grpc.native.answers import send_reply, send_status
from ekiben.service.grpc.native.head import CallHead
from ekiben.service.grpc.native.messages import Assembler, check_encoding, read_prefix
from ekiben.service.grpc.native.shared import Shared
from ekiben.service.grpc.prefix import PREFIX_BYTES
from ekiben.service.grpc.unpacking import PACKED, take_bytes, unpack_message
from ekiben.service.stepping import Steps

CLOCKS_S, CLOCKS_SHARE = 0.02, 0.1  # by which a caller's deadline may pass before ours: its clock began earlier


class UnaryExchange:
    """One call from its head to its trailers; the handler of its stream."""

    __slots__ = ("_assembler", "_body", "_call", "_head", "_packed", "_shared", "_step", "_stream", "_task", "_waiting")

    def __init__(self, shared: Shared, stream: Stream, head: CallHead, method: UnaryMethod) -> None:
        self._shared, self._head = shared, head
        self._stream: Stream | None = stream  # None: the call is over
        self._call = UnaryCall(method, head)
        self._assembler: Assembler | None = None
        self._task: asyncio.Task[None] | Steps | None = None
        self._body: bytes | None = None
        self._packed = 0
        self._waiting = True  # for its message
        self._step = 0  # of its deadline, if it has one
        try:
            self._call.check()
        except Exception as error:  # the boundary: whatever happens, the caller gets a status code
            self._reject(error)
            return
        if head.timeout_s is not None:
            self._step = shared.deadlines.add(self, head.timeout_s)
        shared.arrivals.add(self, self._call.call.timeout_s)

    def data_received(self, data: bytes) -> None:
        if not self._waiting:
            return  # a second message, or what comes of a rejected one
        try:
            if self._assembler is None and len(data) >= PREFIX_BYTES:
                state = self._call.method.state
                flag, size = read_prefix(data, state.message_limit)
                if len(data) - PREFIX_BYTES == size:  # most come in one piece
                    take_bytes(state.budget, size)
                    self._receive(flag, data[PREFIX_BYTES:])
                    return
            self._assemble(data)
        except Exception as error:  # the boundary, as above
            self._reject(error)

    def end_received(self) -> None:
        if not self._waiting:
            return
        amid = self._assembler is not None and self._assembler.amid
        self._reject(BadRequest(400, "the message ends too soon" if amid else MESSAGE_MISSING))

    def reset_received(self, error_code: int) -> None:
        self._cancel(self._find_reason())

    def give_up(self, error: Exception) -> None:
        """End the call with this error, whatever it is doing."""
        task, self._task = self._task, None
        self._reject(error)
        if task is not None:
            task.cancel()

    def resume(self) -> bool:
        """Answer the message that waited for admission; return whether it still does."""
        if self._stream is None:
            return False
        self._begin()
        return True

    def _assemble(self, data: bytes) -> None:
        if self._assembler is None:
            state = self._call.method.state
            self._assembler = Assembler(state.budget, state.message_limit)
        for flag, message in self._assembler.take(data):
            self._assembler.drop()  # whatever comes after the one message
            self._receive(flag, message)
            return

    def _receive(self, flag: int, message: bytes) -> None:
        """Take the message, whose bytes are taken from the budget."""
        self._waiting = False
        self._shared.arrivals.remove(self)
        self._call.taken = len(message)
        self._body, self._packed = message, flag or message.startswith(PACKED)
        if flag:
            check_encoding(self._head.encoding)
        admission = self._shared.admission
        if not admission.tick_active:
            admission.begin()
        if admission.read_budget > 0:
            admission.read_budget -= 1
            self._begin()
        elif admission.draining:
            self._begin()
        elif self._call.method.probe:
            admission.defer(self)
        elif admission.queue_slots > 0:
            admission.enqueue(self)
        else:
            raise Overloaded(RETRY_AFTER_S)

    def _begin(self) -> None:
        answering, loop = self._answer(), self._shared.loop
        if self._call.method.method.rows:  # it waits for the queue, and knows of no task
            self._task = steps = Steps(answering, loop)
            steps.go_on()
        else:
            self._task = loop.create_task(answering)

    async def _answer(self) -> None:
        call = self._call
        body, self._body = self._body or b"", None
        try:
            if self._packed:
                body = await self._unpack(body)
            reply = await call.answer(body)
        except asyncio.CancelledError:
            self._cancel(Code.CANCELLED)
            raise
        except Exception as error:  # the boundary, as above
            self._reject(error)
        else:
            if self._stream is not None:
                send_reply(self._stream, reply.message, reply.trailers)
                self._finish(Code.OK)

    async def _unpack(self, packed: bytes) -> bytes:
        state = self._call.method.state
        self._call.release()
        message = await unpack_message(packed, state.budget, state.settings.max_body_bytes)
        self._call.taken = len(message)
        return message

    def _reject(self, error: Exception) -> None:
        if self._stream is None:
            return
        status = self._call.fail(error)
        send_status(self._stream, status)
        self._finish(status.code)

    def _cancel(self, code: Code) -> None:
        if self._stream is None:
            return
        task = self._task
        self._finish(code)
        if task is not None:
            task.cancel()

    def _finish(self, code: Code) -> None:
        """Count the call and let go of all it holds: no cycle may be left for the garbage collector."""
        self._stream = self._task = self._body = None
        if self._waiting:
            self._waiting = False
            self._shared.arrivals.remove(self)
            if self._assembler is not None:
                self._assembler.drop()
        self._assembler = None
        if self._step:
            self._shared.deadlines.remove(self, self._step)
        self._call.release()
        self._call.end(code)

    def _find_reason(self) -> Code:
        """Return why the caller gave up: of itself, or at its deadline."""
        left_s = self._head.time_left_s()
        late = left_s is not None and left_s <= max(CLOCKS_S, CLOCKS_SHARE * (self._head.timeout_s or 0.0))
        return Code.DEADLINE_EXCEEDED if late else Code.CANCELLED
