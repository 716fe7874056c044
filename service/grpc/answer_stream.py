"""A stream of requests, each answered as a call of its own would be: as they get ready, in the order they came."""

import asyncio

from ekiben.service.errors import NotReady
from ekiben.service.grpc.call import ServerState, UnaryCall, UnaryMethod, check_caller, describe_call, to_status
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status, StreamContext
from ekiben.service.grpc.stream import StreamLimit
from ekiben.service.grpc.unpacking import take_bytes
from ekiben.service.protocols.protocol import AnswerStream

MAX_STREAMS = 256  # open at once; each has so many requests under way, and what comes beyond waits to be read
MAX_UNDER_WAY = 64
IDLE_S = 300.0  # that a stream may be silent
Answers = asyncio.Queue["asyncio.Task[bytes] | None"]


class AnswerStreamMethod:
    """Serves such streams; belongs to one event loop."""

    def __init__(self, state: ServerState, method: UnaryMethod, stream: AnswerStream) -> None:
        self._state, self._method, self._stream = state, method, stream
        self.probe, self.message_limit = False, state.message_limit
        self._limit = StreamLimit(MAX_STREAMS, "inference")
        self._open: set[StreamContext] = set()

    def stop(self) -> None:
        """Take no more requests; those that were read are answered."""
        for context in self._open:
            context.interrupt(NotReady())

    async def serve(self, context: StreamContext) -> Status:
        """Answer a stream to its end."""
        try:
            check_caller(self._state.authenticator, context)
            with self._limit:
                self._open.add(context)
                try:
                    await self._answer_all(context)
                finally:
                    self._open.discard(context)
        except Exception as error:  # the boundary, as for a call
            return to_status(error, describe_call("a stream"))
        return Status(Code.OK)

    async def _answer_all(self, context: StreamContext) -> None:
        answers: Answers = asyncio.Queue(MAX_UNDER_WAY)
        writing = asyncio.create_task(write_in_order(context, answers))
        failure: Exception | None = None
        try:
            try:
                while (message := await context.read(IDLE_S, reserve=True)) is not None:
                    await answers.put(asyncio.create_task(self._answer(context, message)))
            except Exception as error:  # what was read before is answered all the same
                failure = error
            await answers.put(None)
            await writing
        finally:
            writing.cancel()
            while not answers.empty():
                if task := answers.get_nowait():
                    task.cancel()
        if failure is not None:
            raise failure

    async def _answer(self, context: StreamContext, message: bytes) -> bytes:
        """Answer one request: whatever is wrong with it, the stream goes on."""
        call = UnaryCall(self._method, context, context.one_a_turn)
        code = Code.OK
        try:
            call.check()
            take_bytes(self._state.budget, len(message))
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


async def write_in_order(context: StreamContext, answers: Answers) -> None:
    """Send answers in their requests' order; after one that can't be sent the others are dropped."""
    failure: Exception | None = None
    while task := await answers.get():
        if failure is not None:
            task.cancel()
            continue
        try:
            await context.write(await task)
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
