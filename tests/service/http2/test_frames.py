"""What each malformed frame gets: the end of its stream or of the connection, as RFC 9113 says."""

import pytest

from ekiben.service.connections.http2.frames import PREFACE
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
    begin_post,
    frame,
    get,
    head,
    post,
    serve,
)  # fmt: skip
from tests.uvicorn_server import run

WHOLE = END_STREAM | END_HEADERS
PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION = 1, 3, 5, 6, 9

# The section of RFC 9113, what is sent after a request on stream 1, and the error code.
CONNECTION_ERRORS = {
    "4.2 frame longer than the maximum": (frame(DATA, 0, 3, bytes(16_385)), SIZE),
    "4.3 header block of no meaning": (frame(HEADERS, WHOLE, 3, b"\xff" * 9), COMPRESSION),
    "5.1 data on an idle stream": (frame(DATA, 0, 3, b"x"), PROTOCOL),
    "5.1 reset of an idle stream": (frame(RST, 0, 3, bytes(4)), PROTOCOL),
    "5.1 window of an idle stream": (frame(WINDOW, 0, 3, b"\0\0\0\1"), PROTOCOL),
    "5.1.1 even stream": (get(2), PROTOCOL),
    "5.1.1 stream below the last": (get(9) + get(7), PROTOCOL),
    "6.1 data without a stream": (frame(DATA, 0, 0, b"x"), PROTOCOL),
    "6.1 padding longer than the frame": (begin_post(3) + frame(DATA, PADDED, 3, b"\x09abc"), PROTOCOL),
    "6.2 headers without a stream": (get(0), PROTOCOL),
    "6.3 priority of a wrong length is lenient in 9113": (frame(PRIORITY, 0, 1, bytes(4)), SIZE),
    "6.4 reset of a wrong length": (frame(RST, 0, 1, bytes(3)), SIZE),
    "6.5 settings of a stream": (frame(SETTINGS, 0, 1), PROTOCOL),
    "6.5 settings of a wrong length": (frame(SETTINGS, 0, 0, b"x"), SIZE),
    "6.5 acknowledgement with a payload": (frame(SETTINGS, 1, 0, bytes(6)), SIZE),
    "6.5.2 push": (frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"), PROTOCOL),
    "6.5.2 window": (frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff"), FLOW),
    "6.5.2 frame size": (frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1"), PROTOCOL),
    "6.6 push promise": (frame(PUSH, END_HEADERS, 1, b"\0\0\0\2" + head()), PROTOCOL),
    "6.7 ping of a stream": (frame(PING, 0, 1, bytes(8)), PROTOCOL),
    "6.7 ping of a wrong length": (frame(PING, 0, 0, bytes(7)), SIZE),
    "6.8 goaway of a stream": (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    "6.9 window of nothing": (frame(WINDOW, 0, 0, bytes(4)), PROTOCOL),
    "6.9 window of a wrong length": (frame(WINDOW, 0, 0, bytes(3)), SIZE),
    "6.9.1 window over the maximum": (frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FLOW),
    "6.10 continuation of nothing": (frame(CONTINUATION, END_HEADERS, 1, head()), PROTOCOL),
    "6.10 another frame in a header block": (
        frame(HEADERS, END_STREAM, 3, head()) + frame(PING, 0, 0, bytes(8)), PROTOCOL,
    ),
    "6.10 continuation of another stream": (
        frame(HEADERS, END_STREAM, 3, b"") + frame(CONTINUATION, END_HEADERS, 5, head()), PROTOCOL,
    ),
}  # fmt: skip

STREAM_ERRORS = {
    "5.1 data after the end": (post(3, b"x") + frame(DATA, 0, 3, b"x"), CLOSED),
    "6.9 window of nothing": (begin_post(3) + frame(WINDOW, 0, 3, bytes(4)), PROTOCOL),
    "6.9.1 window over the maximum": (begin_post(3) + frame(WINDOW, 0, 3, b"\x7f\xff\xff\xff"), FLOW),
    "8.1 trailers without an end": (begin_post(3) + frame(HEADERS, END_HEADERS, 3, head()[-3:]), PROTOCOL),
    "8.1.1 body shorter than it says": (
        begin_post(3, b"/", (b"content-length", b"5")) + frame(DATA, END_STREAM, 3, b"x"), PROTOCOL,
    ),
    "8.1.1 body longer than it says": (
        begin_post(3, b"/", (b"content-length", b"1")) + frame(DATA, END_STREAM, 3, b"xy"), PROTOCOL,
    ),
    "8.2.1 uppercase name": (get(3, b"/", (b"X-A", b"1")), PROTOCOL),
    "8.2.1 line's end in a value": (get(3, b"/", (b"a", b"x\ny")), PROTOCOL),
    "8.2.1 space around a value": (get(3, b"/", (b"a", b" x")), PROTOCOL),
    "8.2.2 connection": (get(3, b"/", (b"connection", b"close")), PROTOCOL),
    "8.2.2 transfer-encoding": (get(3, b"/", (b"transfer-encoding", b"chunked")), PROTOCOL),
    "8.2.2 te": (get(3, b"/", (b"te", b"gzip")), PROTOCOL),
    "8.3 pseudo-header after others": (get(3, b"/", (b"a", b"b"), (b":path", b"/")), PROTOCOL),
    "8.3 unknown pseudo-header": (get(3, b"/", (b":x", b"y")), PROTOCOL),
    "8.3.1 no path": (frame(HEADERS, WHOLE, 3, head(without=b":path")), PROTOCOL),
    "8.3.1 no method": (frame(HEADERS, WHOLE, 3, head(without=b":method")), PROTOCOL),
    "8.3.1 two hosts": (get(3, b"/", (b"host", b"b")), PROTOCOL),
    "8.5 connect": (frame(HEADERS, WHOLE, 3, head(method=b"CONNECT")), PROTOCOL),
    "RFC 8441 extended connect, which is not announced": (
        frame(HEADERS, WHOLE, 3, head(method=b"CONNECT", protocol=b"websocket")), PROTOCOL,
    ),
}  # fmt: skip

HARMLESS = {
    "4.1 unknown kind": frame(99, 255, 1, b"abc"),
    "4.1 reserved bit": frame(PING, 0, 0x80000000, bytes(8)),
    "5.5 unknown setting": frame(SETTINGS, 0, 0, b"\xab\xcd\0\0\0\1"),
    "6.1 padding": begin_post(3) + frame(DATA, PADDED | END_STREAM, 3, b"\2abpp"),
    "6.2 priority in headers": frame(HEADERS, WHOLE | PRIORITIZED, 3, b"\0\0\0\1\x10" + head()),
    "6.3 priority": frame(PRIORITY, 0, 7, b"\0\0\0\1\x10"),
    "6.4 reset of a stream that has ended": frame(RST, 0, 1, bytes(4)),
    "6.9 window of a stream that has ended": frame(WINDOW, 0, 1, b"\0\0\0\1"),
    "6.10 continuation": frame(HEADERS, END_STREAM, 3, head()[:3]) + frame(CONTINUATION, END_HEADERS, 3, head()[3:]),
    "8.1 trailers": begin_post(3) + frame(HEADERS, WHOLE, 3, b"\0\1a\1b"),
}


@pytest.mark.parametrize("case", CONNECTION_ERRORS)
@pytest.mark.parametrize("cut", [0, 1])
def test_a_frame_that_breaks_the_connection_ends_it(case: str, cut: int) -> None:
    sent, code = CONNECTION_ERRORS[case]

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(get(1))
            assert await client.finish(1) == (200, b"/")
            for part in [sent[at : at + 7] for at in range(0, min(len(sent), 200), 7)] if cut else [sent]:
                client.send(part)
            assert (await client.wait(GOAWAY)).code == code
            await client.wait_end()
            client.close()
            async with served.connect() as other:
                other.send(get(1))
                assert await other.finish(1) == (200, b"/")

    run(scenario())


@pytest.mark.parametrize("case", STREAM_ERRORS)
def test_a_frame_that_breaks_its_stream_leaves_others_alone(case: str) -> None:
    sent, code = STREAM_ERRORS[case]

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1), sent)
            assert (await client.wait(RST, 3)).code == code
            client.send(frame(DATA, END_STREAM, 1, b"first"), get(5))
            assert await client.finish(1) == (200, b"first")
            assert await client.finish(5) == (200, b"/")
            assert not client.find(GOAWAY)

    run(scenario())


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_allowed_disturbs_nobody(case: str) -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(get(1))
            await client.finish(1)
            client.send(HARMLESS[case], get(9))
            assert await client.finish(9) == (200, b"/")
            assert not client.find(GOAWAY) + client.find(RST)

    run(scenario())


@pytest.mark.parametrize("begin", [PREFACE + get(1), PREFACE + frame(PING, 0, 0, bytes(8))])
def test_settings_come_first(begin: bytes) -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect(begin=begin) as client:
            assert (await client.wait(GOAWAY)).code == PROTOCOL
            await client.wait_end()

    run(scenario())


def test_what_only_begins_like_http2_is_http1s() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect(begin=b"PRI * HTTP/2.0\r\n\r\nSX") as client:
            await client.wait_end()
            assert not client.frames

    run(scenario())


def test_the_settings_say_what_is_true() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            payload = (await client.wait(SETTINGS)).payload
            pairs = {
                payload[at + 1]: int.from_bytes(payload[at + 2 : at + 6], "big") for at in range(0, len(payload), 6)
            }
            assert pairs == {3: 100, 6: 65_536, 1: 4096, 5: 16_384, 8: 0}

    run(scenario())
