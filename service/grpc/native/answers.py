"""What goes back on a stream: heads, messages, and the status in the trailers."""

from collections.abc import Sequence

from ekiben.service.connections.http2.stream import Stream
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.native.head import TYPE
from ekiben.service.grpc.native.messages import PREFIX, frame
from ekiben.service.grpc.notation import escape_sentence

HEAD = [(b"content-type", TYPE)]
SUCCESS = [(b"grpc-status", b"0")]
LARGE_BYTES = 2**16  # of a message that is not copied once more, to stand behind its length


def send_reply(stream: Stream, message: bytes, trailers: Sequence[tuple[str, str]]) -> None:
    """Send a message and a good status."""
    stream.send_head(200, HEAD)
    if len(message) > LARGE_BYTES:
        stream.send_data(PREFIX.pack(0, len(message)))
        stream.send_data(message)
    else:
        stream.send_data(frame(message))
    stream.send_trailers(SUCCESS + encode_pairs(trailers) if trailers else SUCCESS)


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
