"""The head of a call: who calls which method, by when, and with what metadata."""

import time

from ekiben.service.connections.http2.stream import Stream
from ekiben.service.grpc.context import Metadata
from ekiben.service.grpc.notation import read_pairs, read_timeout_s

TYPE = b"application/grpc"
TYPES = (TYPE, TYPE + b"+proto")


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
