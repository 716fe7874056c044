"""Much of what costs a server more than it costs its client."""

from tests.fuzz.frame_moves import CALL
from tests.fuzz.script import Choices, Script, write_literal
from tests.http2_server import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST,
    SETTINGS,
    WINDOW,
    frame,
)

MAX_BYTES = 2**19
BOMB = 60  # times a header of 4,000 bytes that the table holds


def reset_rapidly(script: Script, choices: Choices) -> None:
    script.lives = False
    block = script.encode(CALL)
    for _ in range(choices.pick((20, 70, 300))):
        stream = script.open()
        script.add(frame(HEADERS, END_HEADERS, stream, block))
        script.add(choices.pick((frame(RST, 0, stream, b"\0\0\0\x08"), frame(WINDOW, 0, stream, bytes(4)))))


def open_many(script: Script, choices: Choices) -> None:
    script.lives = False
    block, flags = script.encode(CALL), choices.pick((END_HEADERS, END_HEADERS | END_STREAM))
    for _ in range(choices.pick((20, 99, 130))):
        script.opened.append(script.open())
        script.add(frame(HEADERS, flags, script.opened[-1], block))


def bomb_table(script: Script, choices: Choices) -> None:
    """Let the table hold what is long, and say it often."""
    script.lives = False
    name = b"\x40" + write_literal((b"x", b"a" * choices.pick((4000, 3000, 10))))[1:]
    block = script.encode(CALL) + name + b"\xbe" * choices.pick((BOMB, 5, 1000))
    script.add_head(choices, script.open(), block, end=True)


def flood(script: Script, choices: Choices) -> None:
    script.lives = False
    stream = script.pick_stream(choices)
    one = choices.pick(
        (
            frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0), frame(SETTINGS, 1, 0), frame(DATA, 0, stream, b""),
            frame(PRIORITY, 0, stream, b"\0\0\0\0\1"), frame(WINDOW, 0, 0, b"\0\0\0\1"), frame(200, 0, 0),
            frame(WINDOW, 0, stream, b"\0\0\0\1"), frame(DATA, PADDED, stream, b"\xff" + bytes(255)),
        )
    )  # fmt: skip
    script.granted.connection += 2**16
    script.granted.streams[stream] = script.granted.streams.get(stream, 0) + 2**16
    script.add(one * min(choices.pick((10, 500, 6000)), MAX_BYTES // len(one)))
