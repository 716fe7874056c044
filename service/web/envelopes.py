"""Takes bodies apart that are messages, each with gRPC's prefix."""

from collections.abc import Iterator

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.prefix import PREFIX, PREFIX_BYTES

MAX_ENVELOPES = 1000  # in a body: streams have a question or few


def split_envelopes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the flags and the content of each envelope; raise BadRequest at a cut one."""
    at = 0
    for _ in range(MAX_ENVELOPES):
        if at == len(body):
            return
        begin = at + PREFIX_BYTES
        flags, size = PREFIX.unpack_from(body, at) if begin <= len(body) else (0, len(body))
        if len(body) < begin + size:
            raise BadRequest(400, "the body ends within a message: begin each with 5 bytes, a flag and its length")
        yield flags, body[begin : begin + size]
        at = begin + size
    raise BadRequest(413, f"the body has more than {MAX_ENVELOPES} messages: send fewer at once")
