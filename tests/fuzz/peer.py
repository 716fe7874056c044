"""Reads what the server sends, and notes where it breaks HTTP/2's rules or blames itself."""

from dataclasses import dataclass, field

import hpack

from tests.fuzz.script import FRAME_BYTES, Granted
from tests.fuzz.service import Unexpected
from tests.http2_server import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST, SETTINGS, WINDOW

INTERNAL = (b"2", b"13")  # gRPC's UNKNOWN and INTERNAL
TABLE_BYTES = 4096
INTERNAL_ERROR = 2


@dataclass
class Answered:
    """What came on one stream."""

    heads: list[dict[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def reply(self) -> tuple[bytes, bytes]:
        """The status of gRPC and the message."""
        return self.heads[-1].get(b"grpc-status", b""), bytes(self.body)


class Peer:
    """The client's end of one connection."""

    def __init__(self, granted: Granted) -> None:
        self.answers: dict[int, Answered] = {}
        self.goaways: list[int] = []  # their codes
        self._granted = granted
        self._unread = bytearray()
        self._decoder = hpack.Decoder()
        self._received: dict[int, int] = {0: 0}  # bytes of DATA, by stream; 0: all
        self._begun = False
        self._found: list[str] = []

    def check(self) -> None:
        """Raise Unexpected if there was anything; raised while the server writes it would end up there."""
        if self._found:
            raise Unexpected(self._found[0])

    def read(self, data: bytes) -> None:
        if not self._found:
            try:
                self._read(data)
            except Unexpected as error:
                self._found.append(str(error))

    def _read(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 9:
            size = int.from_bytes(self._unread[:3], "big")
            if size > max(self._granted.frame, FRAME_BYTES) and self._granted.known:
                raise Unexpected(f"a frame of {size} bytes")
            if len(self._unread) < 9 + size:
                return
            head, payload = bytes(self._unread[:9]), bytes(self._unread[9 : 9 + size])
            del self._unread[: 9 + size]
            self._take(head[3], head[4], int.from_bytes(head[5:], "big"), payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if not self._begun and kind != SETTINGS:
            raise Unexpected("the server does not begin with SETTINGS")
        self._begun = True
        if kind == GOAWAY:
            self.goaways.append(check_code(payload[4:8], "GOAWAY"))
        elif kind == RST:
            self.answers.setdefault(stream, Answered()).reset = check_code(payload, f"RST_STREAM of {stream}")
        elif stream and kind != WINDOW:
            self._take_answer(self.answers.setdefault(stream, Answered()), kind, flags, stream, payload)

    def _take_answer(self, one: Answered, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if one.ended or one.reset is not None:
            raise Unexpected(f"a frame of type {kind} on stream {stream} after its end")
        if kind == DATA:
            self._count(stream, len(payload))
            one.body += payload
        elif kind == HEADERS:
            self._take_head(one, flags, payload)
        elif kind == CONTINUATION:
            raise Unexpected("CONTINUATION, though our heads are small")
        one.ended = bool(flags & END_STREAM)

    def _take_head(self, one: Answered, flags: int, payload: bytes) -> None:
        if not flags & END_HEADERS:
            raise Unexpected("a head without its end, though ours are small")
        self._decoder.max_allowed_table_size = max(self._granted.table, TABLE_BYTES)
        try:
            pairs = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(payload, raw=True)]
        except hpack.HPACKError as error:
            if not self._granted.known:
                return
            raise Unexpected(f"a head that can't be read: {error}") from None
        head = dict(pairs)
        one.heads.append(head)
        if head.get(b":status") == b"500" or head.get(b"grpc-status") in INTERNAL:
            raise Unexpected(f"the server blames itself: {pairs}")

    def _count(self, stream: int, size: int) -> None:
        granted = self._granted
        for number, most in ((0, granted.connection), (stream, granted.stream + granted.streams.get(stream, 0))):
            self._received[number] = self._received.get(number, 0) + size
            if self._received[number] > most and granted.known:
                raise Unexpected(f"{self._received[number]} bytes of DATA on stream {number}, allowed are {most}")


def check_code(code: bytes, what: str) -> int:
    """Return an error's code."""
    found = int.from_bytes(code, "big")
    if found == INTERNAL_ERROR:
        raise Unexpected(f"{what} with INTERNAL_ERROR")
    return found
