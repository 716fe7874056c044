"""Messages on a stream: five bytes before each, whether it is packed and how long it is."""

from collections.abc import Iterator

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.message_limit import MessageLimit
from ekiben.service.grpc.prefix import PREFIX, PREFIX_BYTES
from ekiben.service.grpc.unpacking import CODINGS, take_bytes

ACCEPTED = b"identity, deflate, gzip"


def read_prefix(data: bytes | bytearray, limit: MessageLimit) -> tuple[int, int]:
    """Return whether a message is packed and how long it is; raise BadRequest if it can't be one, or is too large."""
    flag, size = PREFIX.unpack_from(data)
    if flag > 1:
        raise BadRequest(400, "the body is no sequence of gRPC's messages: each begins with 0 or 1 and its length")
    if size > limit.max_bytes:
        raise limit.make_error(size)
    return flag, size


def check_encoding(encoding: bytes) -> None:
    """Raise BadRequest if messages of this encoding can't be unpacked."""
    if encoding == b"identity":
        raise BadRequest(400, "the message is marked as compressed, and the header grpc-encoding is missing")
    if encoding not in CODINGS:
        said = encoding[:80].decode("latin-1")
        sentence = f"messages compressed with {said!r} can't be read here: use gzip, deflate or none"
        raise BadRequest(501, sentence, (b"grpc-accept-encoding", ACCEPTED))


class Assembler:
    """Puts messages together of what comes in pieces.

    Bytes are taken from the budget as they come, not as they are announced: five bytes would else keep room for
    megabytes that never come, and others out.
    """

    __slots__ = ("_budget", "_flag", "_held", "_limit", "_size")

    def __init__(self, budget: ByteBudget, limit: MessageLimit) -> None:
        self._budget, self._limit = budget, limit
        # One object, however small the pieces are: those of two bytes would take twenty times as much.
        self._held = bytearray()  # as many bytes are taken from the budget
        self._flag = 0
        self._size: int | None = None  # of the message that comes; None: its length has not come yet

    def take(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield each message that is whole now, with whether it is packed; the caller gives its bytes back.

        Raises BadRequest as `read_prefix` does, and Overloaded if there is no room, after the messages before.
        """
        take_bytes(self._budget, len(data))
        self._held += data
        while (size := self._find_size()) is not None and len(self._held) >= size:
            with memoryview(self._held) as view:
                message = bytes(view[:size])
            del self._held[:size]
            self._size = None
            yield self._flag, message

    @property
    def amid(self) -> bool:
        """Whether a message has begun to come."""
        return self._size is not None or bool(self._held)

    def drop(self) -> None:
        """Forget what has come of a message."""
        self._budget.give(len(self._held))
        self._held.clear()
        self._size = None

    def _find_size(self) -> int | None:
        """Return the length of the message that comes, once it has come itself."""
        if self._size is None and len(self._held) >= PREFIX_BYTES:
            self._flag, self._size = read_prefix(self._held, self._limit)
            del self._held[:PREFIX_BYTES]
            self._budget.give(PREFIX_BYTES)
        return self._size
