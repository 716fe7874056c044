"""What stands before each message, on HTTP/2's streams as in bodies of gRPC-Web and Connect: flags and a length."""

from struct import Struct

PREFIX = Struct(">BI")
PREFIX_BYTES = PREFIX.size
PACKED_FLAG = 1  # the message is compressed


def frame(content: bytes, flags: int = 0) -> bytes:
    """Return a message, or what else the flags say, with its prefix."""
    return PREFIX.pack(flags, len(content)) + content
