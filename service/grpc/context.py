"""What a server of gRPC gives to those who answer: one call, whichever server it came in by."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ekiben.service.grpc.codes import Code

Metadata = Sequence[tuple[str, str | bytes]]
MESSAGE_MISSING = "the call has no message: send one"


class Status(NamedTuple):
    """How a call ended, and the metadata that goes with it."""

    code: Code
    message: str = ""
    trailers: Sequence[tuple[str, str]] = ()


class Context(Protocol):
    """A call's head."""

    @property
    def uncertified(self) -> bool:
        """Whether callers must show a certificate and this one has shown none."""

    def metadata(self) -> Metadata:
        """Return what came with the call; what is binary as bytes."""

    def time_left_s(self) -> float | None:
        """Return the seconds to the caller's deadline, None if it gave none."""


class StreamContext(Context, Protocol):
    """A call of several messages."""

    @property
    def one_a_turn(self) -> bool:
        """Whether its server hands over one message a turn: others may be about to follow."""

    def interrupt(self, error: Exception) -> None:
        """Let `read` raise this from now on, after what has arrived."""

    async def read(self, timeout_s: float, reserve: bool) -> bytes | None:
        """Return the next message, None after the last; its bytes count until the next one is read.

        Raises DeadlineExceeded if none comes in time. `reserve`: room is kept for one that is slow, or Overloaded
        raised.
        """

    async def write(self, message: bytes) -> None:
        """Send a message."""


def find_values(context: Context, wanted: str) -> list[bytes]:
    """Return all metadata of that name."""
    values = (value for name, value in context.metadata() if name == wanted)
    return [value.encode() if isinstance(value, str) else value for value in values]
