"""Answers a stream with one sentence, without anybody else."""

from typing import TYPE_CHECKING

from ekiben.service.connections.http2.stream import Headers, Stream
from ekiben.service.http.messages import JSON_TYPE, encode_json

if TYPE_CHECKING:
    from ekiben.service.connections.http2.connection import Http2Connection


class Ignoring:
    """Takes the rest of a request that was answered."""

    def data_received(self, data: bytes) -> None:
        """Take nothing."""

    def end_received(self) -> None:
        """Take nothing."""

    def reset_received(self, error_code: int) -> None:
        """Take nothing."""


IGNORING = Ignoring()


def reject(stream: Stream, status: int, sentence: str, headers: Headers = ()) -> Ignoring:
    """Answer with an error; return what takes the rest."""
    send_error(stream, status, encode_json({"error": sentence}), headers)
    note_malformed(stream.connection, status, sentence)
    return IGNORING


def note_malformed(connection: "Http2Connection", status: int, sentence: str) -> None:
    """Count and log what could not be taken."""
    who = str(connection.client[0] if connection.client else "a Unix socket")
    connection.shared.malformed.count(status, sentence, who)


def send_error(stream: Stream, status: int, body: bytes, headers: Headers = ()) -> None:
    """Send a whole answer of JSON; without its body to HEAD."""
    length = (b"content-length", b"%d" % len(body))
    bodiless = stream.method == b"HEAD"
    stream.send_head(status, [(b"content-type", JSON_TYPE), length, *headers], end=bodiless)
    if not bodiless:
        stream.send_data(body)
        stream.end()
