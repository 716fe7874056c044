"""What tells gRPC-Web and Connect apart: how a message, an answer and a status are written."""

from typing import NamedTuple, Protocol

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import Reply
from ekiben.service.grpc.context import MESSAGE_MISSING, Status
from ekiben.service.http.messages import Request, Response


class Given(NamedTuple):
    """A message as it came, and whether it is compressed."""

    content: bytes
    packed: bool = False


class Dialect(Protocol):
    """One way to write calls and their answers."""

    label: str  # after a protocol's name, in the metrics
    json: bool  # messages are JSON
    content_type: bytes  # of the answer

    def read_timeout_s(self, request: Request) -> float | None:
        """Return the seconds that a call may take, None if it doesn't say; raise BadRequest if they are no number."""

    def limit_body(self, max_bytes: int) -> int:
        """Return how many bytes a body has at most whose message has so many."""

    def unwrap(self, request: Request, body: bytes) -> list[Given]:
        """Return the messages of a body; raise BadRequest if it is not one of this dialect."""


class UnaryDialect(Dialect, Protocol):
    """For methods of one message."""

    def write(self, reply: Reply) -> Response:
        """Return the answer."""

    def fail(self, status: Status) -> Response:
        """Return what tells of a failure."""


class StreamDialect(Dialect, Protocol):
    """For methods that answer by several."""

    def pack(self, message: bytes) -> bytes:
        """Return a message as it stands in the answer's body."""

    def finish(self, status: Status) -> bytes:
        """Return what ends the body."""


def take_one(given: list[Given]) -> Given:
    """Return the one message of a call; raise BadRequest if there is none or another."""
    if not given:
        raise BadRequest(400, MESSAGE_MISSING)
    if len(given) > 1:
        raise BadRequest(501, f"the call has {len(given)} messages, this method takes one: call it once for each")
    return given[0]
