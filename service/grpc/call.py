"""One gRPC call of one message, from its head to its status, whichever server it came in by.

A server makes a `UnaryCall` of each head, lets it `check` the caller, hands it the message to `answer`, and sends what
that returns, or the status that `fail` makes of an error; `end` counts and logs the call.
"""

from typing import NamedTuple

from ekiben.service.grpc.context import Context
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.grpc.record import CallRecord, ServedMethod, ServerState
from ekiben.service.http.ignored_columns import ignored_header
from ekiben.service.http.messages import MODEL_VERSION_HEADER
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.offload import LARGE_BYTES
from ekiben.service.prediction_ids import METADATA
from ekiben.service.protocols.protocol import Call, Method

VERSION_METADATA = MODEL_VERSION_HEADER.decode()


class Reply(NamedTuple):
    """The message that answers a call, and the metadata that follows it."""

    message: bytes
    trailers: list[tuple[str, str]]


class UnaryMethod(ServedMethod):
    """A method of one message."""

    def __init__(self, state: ServerState, method: Method, protocol: str = "", path: str = "") -> None:
        super().__init__(state, method.probe, protocol, path)
        self.method = method

    def count_as(self, protocol: str) -> "UnaryMethod":
        """Return the same with another label in metrics, traces and log."""
        return UnaryMethod(self.state, self.method, protocol, self.path)


class UnaryCall(CallRecord):
    """One call of such a method."""

    __slots__ = ("taken",)

    method: UnaryMethod

    def __init__(self, method: UnaryMethod, context: Context, one_a_turn: bool = False) -> None:
        super().__init__(method, context, one_a_turn)
        self.taken = 0  # bytes of the budget, for its message

    async def answer(self, body: bytes) -> Reply:
        """Answer the message, whose bytes were `taken` from the budget."""
        state, method, call = self.method.state, self.method.method, self.call
        state.in_progress += 1
        try:
            if len(body) > LARGE_BYTES:
                call.large = True
                request = await call.run(parse, method.request, body, state.max_values)
            else:
                request = parse(method.request, body, state.max_values)
            del body  # its rows are in the request
            answered = await method.answer(request, call)
            return Reply(answered.SerializeToString(), list_trailers(call))
        finally:
            call.gone = True
            state.in_progress -= 1
            self.release()
            if call.large:
                trim_soon()

    def release(self) -> None:
        """Give back what was taken for the message."""
        if self.taken:
            self.method.state.budget.give(self.taken)
            self.taken = 0


def list_trailers(call: Call) -> list[tuple[str, str]]:
    """Return the metadata that follows a call's answer."""
    trailers = [(name.decode(), value.decode()) for name, value in ignored_header(call.ignored)]
    if call.prediction_id:
        trailers += [(METADATA, call.prediction_id.decode()), (VERSION_METADATA, call.model_version.decode())]
    return trailers
