"""Frames as no client should send them."""

import struct

from tests.fuzz.call_moves import TYPE, describe
from tests.fuzz.script import WINDOW_BYTES, Choices, Script, write_integer, write_literal
from tests.http2_server import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITIZED,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    WINDOW,
    frame,
)  # fmt: skip

MAX_RESETS = 30  # that a connection surely survives
CALL = describe(b"POST", b"/grpc.health.v1.Health/Check", TYPE)
LARGEST = 2**31 - 1
VALUES = (0, 1, 100, 4096, 16_383, 16_384, 65_535, 65_536, 2**24 - 1, 2**24, LARGEST, 2**31, 2**32 - 1)
HUFFMAN_JUNK = b"\0\x83\xff\xff\xff\x01x"
BLOCKS = (
    b"\x80", b"\xff\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xbe", b"\xff",
    b"\x7f", b"\0", b"\0\x7f", b"\0\x01", b"\x20\x20\x20", b"\x3f\xe1\x1f", b"\x3f\xe1\xff\xff\x0f", HUFFMAN_JUNK,
    b"\0\x81\xff\x81\xff", b"\x82\x86\x84\x20", b"\x0f", b"\x1f\xff", b"\x40\x0a", b"\0\x80\x80", b"\xc0" * 50,
)  # fmt: skip


def send_good_control(script: Script, choices: Choices) -> None:
    """What every client may send, now and then."""
    stream = choices.pick(script.opened) if script.opened else script.next_stream
    grown = choices.number(2**16) + 1
    kind = choices.number(6)
    if kind == 0:
        script.add(frame(PING, choices.number(1), 0, choices.raw(0).ljust(8, b"a")))
    elif kind == 1:
        script.granted.connection += grown
        script.add(frame(WINDOW, 0, 0, struct.pack(">I", grown)))
    elif kind == 2 and script.opened:
        script.granted.streams[stream] = script.granted.streams.get(stream, 0) + grown
        script.add(frame(WINDOW, 0, stream, struct.pack(">I", grown)))
    elif kind == 3:
        script.add(frame(PRIORITY, 0, stream, struct.pack(">IB", choices.pick((0, stream + 2)), choices.number(255))))
    elif kind == 4:
        script.add(frame(choices.number(200) + 10, choices.number(255), choices.pick((0, stream)), choices.raw(30)))
    elif kind == 5:
        settings = [(choices.pick((2, 6, 9, 77, 65_535)), choices.number(1)) for _ in range(choices.number(3))]
        script.add(frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *one) for one in settings)))
    else:
        script.add(frame(SETTINGS, 1, 0))


def shrink_windows(script: Script, choices: Choices) -> None:
    """Let answers wait, or go on in small pieces."""
    size = choices.pick((0, 1, 100, 5000, WINDOW_BYTES, 2**20))
    script.granted.stream = max(script.granted.stream, size)
    script.add(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, size)))
    script.shrunk = True


def send_settings(script: Script, choices: Choices) -> None:
    script.lives = False
    payload = b""
    for _ in range(choices.number(6)):
        name, value = choices.number(9), choices.pick(VALUES)
        payload += struct.pack(">HI", name, value)
        if name == 4 and value <= LARGEST:
            script.granted.stream = max(script.granted.stream, value)
        elif name == 5:
            script.granted.frame = max(script.granted.frame, value)
        elif name == 1:
            script.granted.table = max(script.granted.table, value)
    payload += choices.raw(3) if choices.chance(4) else b""
    flags, stream = (choices.number(255), choices.number(1)) if choices.chance(4) else (0, 0)
    script.add(frame(SETTINGS, flags, stream, payload) * choices.pick((1, 1, 1, 20)))


def send_window(script: Script, choices: Choices) -> None:
    stream, grown = script.pick_stream(choices) if choices.number(1) else 0, choices.pick(VALUES)
    script.lives = False
    script.granted.connection += grown
    script.granted.streams[stream] = script.granted.streams.get(stream, 0) + grown
    script.add(frame(WINDOW, 0, stream, struct.pack(">I", grown)[: choices.pick((4, 4, 4, 3, 0))]))


def send_data(script: Script, choices: Choices) -> None:
    script.lives = False
    stream, kind, data = script.pick_stream(choices), choices.number(5), choices.raw(40)
    if kind == 0:
        script.add(frame(DATA, PADDED, stream, b"\xff" + data))
    elif kind == 1:
        script.add(frame(DATA, PADDED, stream, b""))
    elif kind == 2:
        script.add(frame(DATA, choices.number(255), stream, data))
    elif kind == 3:
        script.add(frame(DATA, 0, stream, bytes(choices.pick((16_384, 16_385, 20_000)))))
    elif kind == 4:
        script.add(frame(DATA, 0, stream, bytes(16_384)) * 5)  # more than the window
    else:
        script.add(frame(DATA, END_STREAM, stream, data) * 2)


def send_reset(script: Script, choices: Choices) -> None:
    stream = script.pick_stream(choices)
    if stream in script.opened:
        script.opened.remove(stream)
    script.resets += 1
    script.add(frame(RST, 0, stream, choices.pick((b"\0\0\0\x08", b"\0\0\0\x08", b"\0\0\0\0", b"\xff" * 4, b"\0"))))
    script.lives = script.lives and bool(script.pending[-4:] == b"\0\0\0\x08")


def begin_twice(script: Script, choices: Choices) -> None:
    """Send trailers, or a second head."""
    stream = script.pick_stream(choices)
    pairs = choices.pick(([(b"x", b"y")], [], CALL, [(b"grpc-status", b"0")], [(b"X", b"y")], [(b"connection", b"a")]))
    end = not choices.chance(3)
    script.lives = False  # zttp ends the connection if the stream was reset: see docs/upstream.md
    if end and stream in script.opened:
        script.opened.remove(stream)
    script.add_head(choices, stream, script.encode(pairs), end)


def send_block(script: Script, choices: Choices) -> None:
    """Send a head that may be none."""
    script.lives = False
    block = choices.pick((b"", script.encode(CALL), b"")) + choices.pick(BLOCKS) + choices.raw(20)
    if choices.chance(4):
        block = write_integer(choices.pick(VALUES), 5, 0x20) + script.encode(CALL)
    script.add_head(choices, script.open(), block, end=choices.chance(2))


def cut_head(script: Script, choices: Choices) -> None:
    """Send a head in parts that don't fit."""
    script.lives = False
    stream, block = script.open(), script.encode(CALL)
    script.add(frame(HEADERS, 0, stream, block[: choices.number(len(block))]))
    for _ in range(choices.pick((0, 1, 3, 300))):
        script.add(frame(CONTINUATION, 0, stream, choices.pick((b"", b"", block, write_literal((b"x", b"y" * 3000))))))
    if choices.chance(2):
        other = choices.pick((frame(PING, 0, 0, bytes(8)), frame(DATA, 0, stream, b"x"), frame(250, 0, 0)))
        script.add(other)
    script.add(frame(CONTINUATION, END_HEADERS, choices.pick((stream, stream, stream + 2, 0)), block))


def send_padded_head(script: Script, choices: Choices) -> None:
    stream, block = script.open(), script.encode(CALL)
    padding = choices.number(60)
    weight = struct.pack(">IB", choices.pick((0, 1, stream, LARGEST, 2**31 | 1)), 7)
    script.lives = False  # a stream that depends on itself
    payload = bytes((choices.pick((padding, padding, 255)),)) + weight + block + bytes(padding)
    script.add(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITIZED, stream, payload[choices.number(1) :]))


def send_strange(script: Script, choices: Choices) -> None:
    script.lives = script.granted.known = False
    stream = choices.pick((0, script.pick_stream(choices)))
    payload = choices.raw(20)
    script.add(
        choices.pick(
            (
                frame(PUSH, END_HEADERS, stream, b"\0\0\0\2" + script.encode(CALL)), frame(PING, 0, stream, payload),
                frame(GOAWAY, 0, 0, struct.pack(">II", 0, choices.number(20)) + payload), frame(GOAWAY, 0, 0, payload),
                frame(PRIORITY, 0, stream, payload), frame(SETTINGS, 1, 0, payload), frame(RST, 0, stream, payload),
                b"\xff\xff\xff\0\0\0\0\0\1", b"\0\x40\1\0\0\0\0\0\1", b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1\2\0\1",
                frame(choices.number(12), choices.number(255), stream, payload),
            )
        )
    )  # fmt: skip


def send_raw(script: Script, choices: Choices) -> None:
    script.lives = script.granted.known = False
    script.add(choices.raw(200))
