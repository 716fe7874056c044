"""What one client does on one connection over HTTP/2, made of random bytes: the same bytes make the same script."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import hpack

from ekiben.service.connections.http2.frames import PREFACE
from tests.http2_server import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame

Item = TypeVar("Item")
Pairs = Sequence[tuple[bytes, bytes]]
Step = tuple[str, Any]  # what is done, and with what

MAX_PIECES = 150  # that are sent one after the other
WINDOW_BYTES, FRAME_BYTES = 65_535, 16_384  # as HTTP/2 begins


class Choices:
    """Decisions from bytes; at their end all are the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)

    def number(self, most: int) -> int:
        """Return a number up to that."""
        size = 1 if most < 2**8 else 2 if most < 2**16 else 4
        found = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(found, "big") % (most + 1)

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.number(len(items) - 1)]

    def chance(self, one_in: int) -> bool:
        return self.number(one_in - 1) == one_in - 1

    def raw(self, most: int) -> bytes:
        """Return the next bytes as they are."""
        size = self.number(most)
        self._at += size
        return self._data[self._at - size : self._at]


@dataclass
class Granted:
    """How much the client lets the server send at the most."""

    connection: int = WINDOW_BYTES
    stream: int = WINDOW_BYTES  # to begin with
    streams: dict[int, int] = field(default_factory=dict)  # besides
    frame: int = FRAME_BYTES
    table: int = 4096
    known: bool = True  # False: bytes were sent that nobody has looked at


@dataclass
class Script:
    """The steps of a client, and what may be expected of the server."""

    steps: list[Step] = field(default_factory=list)
    # Every request is answered: nothing was done that the connection may end by, or wait for.
    lives: bool = True
    granted: Granted = field(default_factory=Granted)
    next_stream: int = 1
    opened: list[int] = field(default_factory=list)  # streams whose requests haven't ended
    asked: list[int] = field(default_factory=list)  # streams whose requests were sent whole
    shrunk: bool = False  # the windows: answers may wait for them
    resets: int = 0
    waited_s: float = 0.0
    pending: bytearray = field(default_factory=bytearray)  # yet to be sent
    pieces: int = 0  # that it is cut into: bytes each, 0: not at all
    encoder: Any = None

    def add(self, data: bytes) -> None:
        self.pending += data
        if len(self.pending) > 2**20:
            self.flush()

    def act(self, what: str, argument: Any = None) -> None:
        self.flush()
        self.steps.append((what, argument))

    def flush(self) -> None:
        """Send what is pending."""
        data, self.pending = bytes(self.pending), bytearray()
        size = max(self.pieces, len(data) // MAX_PIECES) if self.pieces else len(data)
        self.steps += [("send", data[at : at + size]) for at in range(0, len(data), max(size, 1))]

    def open(self) -> int:
        """Return the number of a new stream."""
        stream = self.next_stream
        self.next_stream += 2
        return stream

    def pick_stream(self, choices: Choices) -> int:
        """Return a stream: likely an open one, or one that was, will be, or can't be."""
        if self.opened and not choices.chance(4):
            return choices.pick(self.opened[-8:])
        self.lives = False
        return choices.pick((0, 1, 2, self.next_stream, max(self.next_stream - 2, 1), 2**31 - 1))

    def encode(self, pairs: Pairs, table: bool = False) -> bytes:
        """Return a header block; with `table` it uses and changes the connection's."""
        if not table:
            return b"".join(map(write_literal, pairs))
        if self.encoder is None:
            self.encoder = hpack.Encoder()
        block: bytes = self.encoder.encode(pairs)
        return block

    def add_head(self, choices: Choices, stream: int, block: bytes, end: bool) -> None:
        """Send a header block in one frame or several."""
        flags = END_STREAM if end else 0
        cuts = choices.number(3) if choices.chance(4) else 0
        if not cuts and len(block) <= FRAME_BYTES:
            self.add(frame(HEADERS, flags | END_HEADERS, stream, block))
            return
        size = min(max(len(block) // (cuts + 1), 1), FRAME_BYTES)
        parts = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
        self.add(frame(HEADERS, flags | (END_HEADERS if len(parts) == 1 else 0), stream, parts[0]))
        for number, part in enumerate(parts[1:], 2):
            self.add(frame(CONTINUATION, END_HEADERS if number == len(parts) else 0, stream, part))

    def add_data(self, choices: Choices, stream: int, body: bytes, end: bool) -> None:
        """Send a body in one frame or several, padded or not."""
        size = min(choices.pick((FRAME_BYTES, FRAME_BYTES, 5, 1, 100, 1000)), FRAME_BYTES)
        size = max(size, len(body) // 50)
        parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        for number, part in enumerate(parts, 1):
            flags = END_STREAM if end and number == len(parts) else 0
            if len(part) < 16_000 and choices.chance(8):
                padding = choices.number(40)
                self.add(frame(DATA, flags | 8, stream, bytes((padding,)) + part + bytes(padding)))
            else:
                self.add(frame(DATA, flags, stream, part))


def write_literal(pair: tuple[bytes, bytes]) -> bytes:
    """Return a header that no table knows, nor learns."""
    return b"\0" + b"".join(write_integer(len(text), 7) + text for text in pair)


def write_integer(value: int, bits: int, begins: int = 0) -> bytes:
    """Return an integer as HPACK has it (RFC 7541 5.1)."""
    most = 2**bits - 1
    if value < most:
        return bytes((begins | value,))
    value -= most
    written = [begins | most]
    while value >= 128:
        written.append(value % 128 | 128)
        value //= 128
    return bytes((*written, value))


def begin(choices: Choices) -> Script:
    """Return a script that has said hello."""
    script = Script()
    script.pieces = choices.pick((0, 0, 0, 0, 1, 7, 100, 9))
    script.add(PREFACE + frame(SETTINGS, 0, 0))
    if choices.chance(4):
        script.flush()
    return script
