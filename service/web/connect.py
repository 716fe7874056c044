"""Connect (https://connectrpc.com/docs/protocol): a call is an ordinary POST, its body the message or its JSON.

Streams are envelopes in a body, the last of which holds the status as JSON.
"""

import base64
import binascii
import re
from urllib.parse import parse_qs

from ekiben.contract.validation import shorten
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import Reply
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.prefix import PACKED_FLAG, PREFIX_BYTES, frame
from ekiben.service.grpc.unpacking import CODINGS
from ekiben.service.http.messages import Request, Response
from ekiben.service.web.connect_codes import HTTP_STATUSES, encode_end, encode_error
from ekiben.service.web.dialect import Given
from ekiben.service.web.envelopes import split_envelopes

VERSION = b"1"
MILLISECONDS = re.compile(rb"\d{1,10}")
END = 2  # the flag of a stream's last envelope
TRAILER = b"trailer-"
LISTED = {"encoding": "json", "base64": "", "compression": "identity", "connect": "v1"}  # by default, in a GET's query


class _Connect:
    """What calls of one message and streams share."""

    label = "connect"

    def __init__(self, json: bool, media: bytes) -> None:
        self.json = json
        self.content_type = media + (b"json" if json else b"proto")

    def read_timeout_s(self, request: Request) -> float | None:
        """Return what `Connect-Timeout-Ms` says."""
        version = request.read_header(b"connect-protocol-version") or VERSION
        if version != VERSION:
            raise BadRequest(400, f"connect-protocol-version: expected 1, got {shorten(version.decode('latin-1'))!r}")
        given = request.headers.get(b"connect-timeout-ms")
        if given is None:
            return None
        if not MILLISECONDS.fullmatch(given):
            shown = shorten(given.decode("latin-1"))
            raise BadRequest(400, f"connect-timeout-ms: expected up to ten digits, got {shown!r}")
        return int(given) / 1000


class ConnectUnary(_Connect):
    """Calls of one message."""

    def __init__(self, json: bool) -> None:
        super().__init__(json, b"application/")

    def limit_body(self, max_bytes: int) -> int:
        """Return the same: a body is a message."""
        return max_bytes

    def unwrap(self, request: Request, body: bytes) -> list[Given]:
        """Return the body, or what a GET has instead."""
        if request.method in ("GET", "HEAD"):
            return [read_query(request.query)[0]]
        return [Given(body, is_packed(request.read_header(b"content-encoding")))]

    def write(self, reply: Reply) -> Response:
        """Return the message; what follows it are headers with a name of their own."""
        trailers = tuple(
            (TRAILER + name.encode(), value.encode("latin-1", "replace")) for name, value in reply.trailers
        )
        return Response(reply.message, trailers, content_type=self.content_type)

    def fail(self, status: Status) -> Response:
        """Return the error, with the status of HTTP that Connect has for it; its metadata are HTTP's own headers."""
        headers = tuple((name.encode(), value.encode("latin-1", "replace")) for name, value in status.trailers)
        return Response(encode_error(status), headers, HTTP_STATUSES[status.code])


class ConnectStream(_Connect):
    """Methods that answer by several messages."""

    def __init__(self, json: bool) -> None:
        super().__init__(json, b"application/connect+")

    def limit_body(self, max_bytes: int) -> int:
        """Return the same with the envelope's head."""
        return max_bytes + PREFIX_BYTES

    def unwrap(self, request: Request, body: bytes) -> list[Given]:
        """Return the messages; that no more of them come a client may say, too."""
        envelopes = [(flags, content) for flags, content in split_envelopes(body) if not flags & END]
        if any(flags & PACKED_FLAG for flags, _ in envelopes):
            check_coding(request.read_header(b"connect-content-encoding"))
        return [Given(content, bool(flags & PACKED_FLAG)) for flags, content in envelopes]

    def pack(self, message: bytes) -> bytes:
        """Return an envelope."""
        return frame(message)

    def finish(self, status: Status) -> bytes:
        """Return the last envelope."""
        return frame(encode_end(status), END)


def is_packed(coding: bytes) -> bool:
    """Return whether a message is compressed."""
    if coding in (b"", b"identity"):
        return False
    check_coding(coding)
    return True


def check_coding(coding: bytes) -> None:
    """Raise BadRequest if a message is compressed in a way that is not known here."""
    if coding not in CODINGS:
        shown, accepted = shorten(coding.decode("latin-1")), (b"accept-encoding", b"gzip, deflate")
        raise BadRequest(501, f"content encoding {shown!r} is not supported: send gzip, deflate or none", accepted)


def read_query(query: bytes) -> tuple[Given, bool]:
    """Return the message that a GET carries in its query, and whether it is JSON."""
    try:
        given = {name: values[0] for name, values in parse_qs(query, True, max_num_fields=16).items()}
    except ValueError:
        raise BadRequest(400, "the query has more than 16 fields: send message and encoding") from None
    read = {name: given.get(name.encode(), default.encode()) for name, default in LISTED.items()}
    if read["connect"] != b"v1":
        raise BadRequest(400, f"connect: expected v1, got {shorten(read['connect'].decode('latin-1'))!r}")
    if read["encoding"] not in (b"json", b"proto"):
        raise BadRequest(400, f"encoding: expected json or proto, got {shorten(read['encoding'].decode('latin-1'))!r}")
    content = given.get(b"message")
    if content is None:
        raise BadRequest(400, "the query has no message: send it as `message`, and its `encoding`, json or proto")
    if read["base64"] == b"1":
        content = _decode(content)
    return Given(content, is_packed(read["compression"])), read["encoding"] == b"json"


def _decode(content: bytes) -> bytes:
    try:
        return base64.b64decode(
            content.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(content) % 4), validate=True
        )
    except binascii.Error:
        raise BadRequest(400, "the query's message is not base64, as `base64=1` says") from None
