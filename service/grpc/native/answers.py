"""What goes back on a stream: heads, messages, and the status in the trailers."""

from collections.abc import Sequence

from ekiben.service.connections.http2.stream import PIECE, Stream
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.native.head import TYPE
from ekiben.service.grpc.notation import escape_sentence
from ekiben.service.grpc.prefix import PREFIX, frame

HEAD = [(b"content-type", TYPE)]
SUCCESS = [(b"grpc-status", b"0")]


def send_reply(stream: Stream, message: bytes, trailers: Sequence[tuple[str, str]]) -> None:
    """Send a message and a good status."""
    last = SUCCESS + encode_pairs(trailers) if trailers else SUCCESS
    if len(message) < PIECE:
        stream.send_answer(HEAD, frame(message), last)
        return
    stream.send_head(200, HEAD)
    stream.send_data(PREFIX.pack(0, len(message)))  # which is not copied once more, to stand behind that
    stream.send_data(message)
    stream.send_trailers(last)


def send_status(stream: Stream, status: Status, begun: bool = False) -> None:
    """Send a status; `begun`: messages went before it."""
    trailers = [(b"grpc-status", b"%d" % status.code)]
    if status.code is not Code.OK and status.message:
        # zttp takes no header whose value begins or ends with a blank.
        trailers.append((b"grpc-message", escape_sentence(status.message.strip()).encode()))
    trailers += encode_pairs(status.trailers)
    if begun:
        stream.send_trailers(trailers)
    else:
        stream.send_head(200, HEAD + trailers, end=True)


def encode_pairs(pairs: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return metadata as headers have it."""
    return [(name.encode(), value.encode()) for name, value in pairs]
