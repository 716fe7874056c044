"""Unpacks the messages of gRPC calls, within the budget: 8 KiB of gzip become 8 MiB, and many calls at once do."""

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.decompression import MAX_RATIO, unpack
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.offload import LARGE_BYTES, offload

# How packed messages begin. No message of ours does: those bytes would be wire type 7, and field 15.
PACKED = (b"\x1f\x8b", b"\x78")
NAME = "message"  # in errors
CODINGS = (b"gzip", b"deflate")  # besides identity; both are told by how they begin
FREE_BYTES = 2**20  # that any message may unpack to


def take_bytes(budget: ByteBudget, count: int) -> None:
    """Take bytes of the budget; raise Overloaded if there are not as many."""
    if not budget.take(count):
        raise Overloaded(RETRY_AFTER_S)


async def unpack_message(packed: bytes, budget: ByteBudget, max_bytes: int) -> bytes:
    """Return the message, whose bytes are taken from the budget; raise BadRequest if it is damaged or too large."""
    if len(packed) <= LARGE_BYTES and (message := unpack(packed, LARGE_BYTES, name=NAME)) is not None:
        take_bytes(budget, len(message))
        return message
    most = min(max_bytes, max(FREE_BYTES, MAX_RATIO * len(packed)))
    take_bytes(budget, most)
    unpacked: bytes | None = None
    try:
        unpacked = await offload(lambda: unpack(packed, most, name=NAME))
    finally:
        budget.give(most - len(unpacked or b""))
    if unpacked is None:
        raise BadRequest(429, f"the unpacked message is larger than max ({most} bytes): send fewer rows at once")
    return unpacked
