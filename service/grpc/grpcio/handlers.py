"""grpcio's handlers for our methods.

They are of its streaming kind, though a call has one message: grpcio reads the message of a unary call before anyone
can object. And errors are set, not raised: `context.abort` leaves a cycle of context, error, frame and context, with
all that the frame holds, for the garbage collector.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from ekiben.service.grpc.call import UnaryCall, UnaryMethod
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Metadata, Status
from ekiben.service.grpc.grpcio.message_reader import MessageReceiver
from ekiben.service.grpc.methods import AnyMethod
from ekiben.service.grpc.unserved import UnservedMethods

CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcioContext:
    """A call of grpcio's as our methods see it."""

    one_a_turn = True
    uncertified = False  # grpcio takes no such connections

    def __init__(self, context: Any, receiver: MessageReceiver) -> None:
        self._context, self._receiver = context, receiver

    def metadata(self) -> Metadata:
        return self._context.invocation_metadata() or ()

    def time_left_s(self) -> float | None:
        left_s = self._context.time_remaining()
        return None if left_s is None else float(left_s)

    async def read(self, timeout_s: float, reserve: bool) -> bytes | None:
        message = await self._receiver.read(self._context, timeout_s, reserve)
        return message if message is None else await self._receiver.unpack(message)

    async def write(self, message: bytes) -> None:
        await self._context.write(message)

    def interrupt(self, error: Exception) -> None:
        """Let grpcio itself end what is left at a stop."""

    def set_status(self, status: Status) -> None:
        """Let the call end so."""
        self._context.set_code(CODES[status.code])
        self._context.set_details(status.message)
        self._context.set_trailing_metadata(tuple(status.trailers))


def make_handler(method: AnyMethod, receiver: MessageReceiver, note_call: Callable[[], None]) -> Any:
    """Return grpcio's handler for a method; `note_call` is called with each call of one message."""
    if isinstance(method, UnaryMethod):
        return _handle_unary(method, receiver, note_call)

    async def handle(messages: Any, given: Any) -> None:
        context = GrpcioContext(given, receiver)
        context.set_status(await method.serve(context))

    return grpc.stream_stream_rpc_method_handler(handle)


def _handle_unary(method: UnaryMethod, receiver: MessageReceiver, note_call: Callable[[], None]) -> Any:
    async def handle(messages: Any, given: Any) -> bytes:
        note_call()
        context = GrpcioContext(given, receiver)
        call = UnaryCall(method, context, one_a_turn=True)
        code = Code.OK
        try:
            call.check()
            reply = await call.answer(await _receive(receiver, given, call))
            if reply.trailers:
                given.set_trailing_metadata(tuple(reply.trailers))
            return reply.message
        except asyncio.CancelledError:  # nobody waits for the answer any more
            code = Code.DEADLINE_EXCEEDED if context.time_left_s() == 0 else Code.CANCELLED
            raise
        except Exception as error:  # the boundary: whatever happens, the caller gets a status code
            status = call.fail(error)
            code = status.code
            context.set_status(status)
            return b""
        finally:
            call.end(code)

    return grpc.stream_unary_rpc_method_handler(handle)


async def _receive(receiver: MessageReceiver, given: Any, call: UnaryCall) -> bytes:
    """Return a call's message, of whose bytes the call knows."""
    message = await receiver.receive(given, call.call.timeout_s)
    call.taken = len(message)
    return message


class UnservedHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Comes after all that are served."""

    def __init__(self, unserved: UnservedMethods, receiver: MessageReceiver) -> None:
        self._unserved, self._receiver = unserved, receiver

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a call; it looks at no message."""
        path = handler_call_details.method

        async def handle(messages: Any, given: Any) -> bytes:
            context = GrpcioContext(given, self._receiver)
            context.set_status(self._unserved.reject(path, context))
            return b""

        return grpc.stream_unary_rpc_method_handler(handle)
