"""A stream of requests, each answered as a call of its own would be: as they get ready, in the order they came."""

import asyncio

from ekiben.service.errors import NotReady
from ekiben.service.grpc.call import UnaryCall, UnaryMethod
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status, StreamContext
from ekiben.service.grpc.record import ServedMethod
from ekiben.service.grpc.stream import StreamCall, StreamLimit
from ekiben.service.grpc.unpacking import take_bytes
from ekiben.service.protocols.protocol import AnswerStream

MAX_STREAMS = 256  # open at once; each has so many requests under way, and what comes beyond waits to be read
MAX_UNDER_WAY = 64
IDLE_S = 300.0  # that a stream may be silent
Answers = asyncio.Queue["asyncio.Task[bytes] | None"]


class AnswerStreamMethod(ServedMethod):
    """Serves such streams; belongs to one event loop."""

    def __init__(self, each: UnaryMethod, stream: AnswerStream, limit: StreamLimit | None = None) -> None:
        """`each`: what answers a request, and by which it is counted."""
        super().__init__(each.state, each.probe, each.protocol, each.path)
        self._each, self._stream = each, stream
        self.message_limit = each.state.message_limit
        self._limit = limit or StreamLimit(MAX_STREAMS, "inference")
        self._open: set[StreamContext] = set()

    def count_as(self, protocol: str) -> "AnswerStreamMethod":
        """Return the same with another label in metrics, traces and log; as many streams are open in both together."""
        return AnswerStreamMethod(self._each.count_as(protocol), self._stream, self._limit)

    def stop(self) -> None:
        """Take no more requests; those that were read are answered."""
        for context in self._open:
            context.interrupt(NotReady())

    async def serve(self, context: StreamContext) -> Status:
        """Answer a stream to its end."""
        call = StreamCall(self, context)
        return await call.serve(self._limit, lambda: self._answer_all(context, call))

    async def _answer_all(self, context: StreamContext, call: StreamCall) -> None:
        self._open.add(context)
        try:
            failure = await self._answer_read(context, call)
        finally:
            self._open.discard(context)
        if failure is not None:
            raise failure

    async def _answer_read(self, context: StreamContext, call: StreamCall) -> Exception | None:
        """Answer what is read; return why no more is."""
        answers: Answers = asyncio.Queue(MAX_UNDER_WAY)
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:  # no answer is computed any more once the stream has ended
            writing = tasks.create_task(write_in_order(context, answers))
            try:
                while (message := await context.read(IDLE_S, reserve=True)) is not None:
                    call.asked += 1
                    await answers.put(tasks.create_task(self._answer(context, message)))
            except Exception as error:  # what was read before is answered all the same
                failure = error
            await answers.put(None)
        return failure or writing.result()

    async def _answer(self, context: StreamContext, message: bytes) -> bytes:
        """Answer one request: whatever is wrong with it, the stream goes on."""
        call = UnaryCall(self._each, context, context.one_a_turn)
        code = Code.OK
        try:
            call.check()
            take_bytes(self.state.budget, len(message))
            call.taken = len(message)
            return self._stream.wrap((await call.answer(message)).message)
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        except Exception as error:  # the boundary, as for a call
            status = call.fail(error)
            code = status.code
            return self._stream.wrap_error(status.message, message)
        finally:
            call.end(code)


async def write_in_order(context: StreamContext, answers: Answers) -> Exception | None:
    """Send answers in their requests' order; after one that can't be sent the others are dropped: return why."""
    failure: Exception | None = None
    while task := await answers.get():
        if failure is not None:
            task.cancel()
            continue
        try:
            await context.write(await task)
        except Exception as error:
            failure = error
    return failure
