"""What answers a stream is told of it."""

from typing import Protocol


class StreamHandler(Protocol):
    """Takes what comes on one stream."""

    def data_received(self, data: bytes) -> None:
        """Take a part of the body."""

    def end_received(self) -> None:
        """Note that the body has ended."""

    def reset_received(self, error_code: int) -> None:
        """Note that the stream is gone: the peer has reset it, or the connection is lost."""
