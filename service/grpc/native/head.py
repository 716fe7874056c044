"""The head of a call: who calls which method, by when, and with what metadata."""

import binascii
import re
import time

from ekiben.service.connections.http2.stream import Stream
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.context import Metadata

TYPE = b"application/grpc"
TYPES = (TYPE, TYPE + b"+proto")
TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
BINARY = b"-bin"  # how the names of base64's metadata end


class CallHead:
    """What a call's head says; a `Context` of our methods."""

    __slots__ = ("_metadata", "deadline", "encoding", "given", "timeout_s", "uncertified")

    def __init__(self, stream: Stream) -> None:
        """Raise BadRequest if the caller's timeout can't be read."""
        self.given, self.uncertified = stream.headers, stream.uncertified
        named = dict(stream.headers)
        self.encoding: bytes = named.get(b"grpc-encoding", b"identity")
        self._metadata: Metadata | None = None
        timeout = named.get(b"grpc-timeout")
        self.timeout_s: float | None = None
        self.deadline = 0.0
        if timeout is not None:
            self.timeout_s = read_timeout_s(timeout)
            self.deadline = time.monotonic() + self.timeout_s

    def metadata(self) -> Metadata:
        if self._metadata is None:
            self._metadata = [pair for name, value in self.given for pair in read_pairs(name, value)]
        return self._metadata

    def time_left_s(self) -> float | None:
        return None if self.timeout_s is None else self.deadline - time.monotonic()


def is_grpc(content_type: bytes) -> bool:
    """Return whether a body of this type is a call's."""
    return content_type == TYPE or content_type.partition(b";")[0].strip().lower() in TYPES


def read_timeout_s(value: bytes) -> float:
    """Return what a header `grpc-timeout` gives."""
    found = TIMEOUT.fullmatch(value)
    if found is None:
        raise BadRequest(400, "the header grpc-timeout is not a number of up to 8 digits and one of H, M, S, m, u, n")
    return int(found[1]) * UNITS[found[2]]


def read_pairs(name: bytes, value: bytes) -> list[tuple[str, str | bytes]]:
    """Return a header as metadata: several values if they were joined by commas, none if base64 can't be read."""
    if not name.endswith(BINARY):
        return [(name.decode("latin-1"), value.decode("latin-1"))]
    try:
        values = [binascii.a2b_base64(one.strip() + b"=" * (-len(one.strip()) % 4)) for one in value.split(b",")]
    except binascii.Error:
        return []
    return [(name.decode("latin-1"), one) for one in values]
