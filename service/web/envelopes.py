"""Messages with their length before them: a byte of flags, four of the length, the message (as in gRPC itself)."""

from collections.abc import Iterator

from ekiben.service.errors import BadRequest

HEAD_BYTES = 5
PACKED = 1  # the flag of a compressed message
MAX_ENVELOPES = 1000  # in a body: streams have a question or few


def pack_envelope(flags: int, content: bytes) -> bytes:
    """Return the content with flags and length before it."""
    return bytes((flags,)) + len(content).to_bytes(4, "big") + content


def split_envelopes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the flags and the content of each envelope; raise BadRequest at a cut one."""
    at = 0
    for _ in range(MAX_ENVELOPES):
        if at == len(body):
            return
        end = at + HEAD_BYTES + int.from_bytes(body[at + 1 : at + HEAD_BYTES], "big")
        if len(body) < at + HEAD_BYTES or len(body) < end:
            raise BadRequest(400, "the body ends within a message: begin each with 5 bytes, a flag and its length")
        yield body[at], body[at + HEAD_BYTES : end]
        at = end
    raise BadRequest(413, f"the body has more than {MAX_ENVELOPES} messages: send fewer at once")
