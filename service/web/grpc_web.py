"""gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): gRPC's frames in bodies of HTTP.

The trailers, which no browser shows a page, are the last frame of the body: also where a call fails, so that no header
has to be exposed for them. As text the whole is base64.
"""

import base64
import binascii
import re

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import Reply
from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.notation import escape_sentence, read_timeout_s
from ekiben.service.grpc.prefix import PACKED_FLAG, PREFIX_BYTES, frame
from ekiben.service.grpc.unpacking import CODINGS
from ekiben.service.http.messages import Request, Response
from ekiben.service.web.dialect import Given
from ekiben.service.web.envelopes import MAX_ENVELOPES, split_envelopes

TYPE, TEXT_TYPE = b"application/grpc-web", b"application/grpc-web-text"
PROTO = b"+proto"
TRAILERS = 0x80  # the flag of the last frame
# A text body may be written in pieces, each with padding of its own.
PIECE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
MAX_PADDING = 2 * MAX_ENVELOPES  # in a body: pieces of a byte would take 34 times as much


class GrpcWeb:
    """gRPC-Web, in binary or as text."""

    label = "grpc_web"
    json = False

    def __init__(self, text: bool = False) -> None:
        self._text = text
        self.content_type = (TEXT_TYPE if text else TYPE) + PROTO

    def read_timeout_s(self, request: Request) -> float | None:
        """Return what `grpc-timeout` says."""
        given = request.headers.get(b"grpc-timeout")
        return None if given is None else read_timeout_s(given)

    def limit_body(self, max_bytes: int) -> int:
        """Return the same with the frame's head, and base64 if it is text."""
        framed = max_bytes + PREFIX_BYTES
        return 4 * (framed // 3 + 2) if self._text else framed

    def unwrap(self, request: Request, body: bytes) -> list[Given]:
        """Return the messages; what a client may send as trailers is passed over."""
        if self._text:
            body = decode_text(body)
        frames = [(flags, content) for flags, content in split_envelopes(body) if not flags & TRAILERS]
        coding = request.read_header(b"grpc-encoding")
        if any(flags & PACKED_FLAG for flags, _ in frames) and coding not in CODINGS:
            shown = coding.decode("latin-1")[:20]
            accepted = (b"grpc-accept-encoding", b"gzip,deflate,identity")
            raise BadRequest(501, f"grpc-encoding {shown!r} is not supported: send gzip, deflate or none", accepted)
        return [Given(content, bool(flags & PACKED_FLAG)) for flags, content in frames]

    def write(self, reply: Reply) -> Response:
        """Return the answer: its message, and the status after it."""
        body = self.pack(reply.message) + self.finish(Status(Code.OK, "", reply.trailers))
        return Response(body, content_type=self.content_type)

    def fail(self, status: Status) -> Response:
        """Return the status alone; to HTTP all is well."""
        return Response(self.finish(status), content_type=self.content_type)

    def pack(self, message: bytes) -> bytes:
        """Return a frame."""
        return self._encode(frame(message))

    def finish(self, status: Status) -> bytes:
        """Return the frame of trailers: a block of HTTP/1's headers."""
        lines = [("grpc-status", str(int(status.code)))]
        if status.message:
            lines.append(("grpc-message", escape_sentence(status.message)))
        block = "".join(f"{name}: {value}\r\n" for name, value in [*lines, *status.trailers])
        return self._encode(frame(block.encode("latin-1", "replace"), TRAILERS))

    def _encode(self, framed: bytes) -> bytes:
        return base64.b64encode(framed) if self._text else framed


def decode_text(body: bytes) -> bytes:
    """Return what base64 holds that was written in pieces; raise BadRequest if it isn't base64."""
    try:
        if b"=" not in body.rstrip(b"="):  # one piece: most are
            return base64.b64decode(body, validate=True)
        if body.count(b"=") > MAX_PADDING:
            raise BadRequest(413, f"the body has more than {MAX_ENVELOPES} pieces of base64: write it in fewer")
        pieces = PIECE.findall(body)
        if sum(map(len, pieces)) != len(body):
            raise ValueError
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except (binascii.Error, ValueError):
        raise BadRequest(400, "the body is not base64, as its content type says") from None
