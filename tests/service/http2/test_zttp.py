"""Where zttp does not do what RFC 9113 says, as docs/upstream.md tells: a test fails once it does."""

from typing import Any

import pytest
import zttp

from tests.http2_server import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    PRIORITY,
    RST,
    SETTINGS,
    begin_post,
    frame,
    get,
)

TRAILERS = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\0\1a\1b")
STREAM_CLOSED = 5


class Bare:
    """A server's connection that has read a client's hello."""

    def __init__(self) -> None:
        self.connection = zttp.Connection(zttp.SERVER, zttp.HTTP2)
        self.connection.initiate_connection()
        self.take(PREFACE + frame(SETTINGS, 0, 0))

    def take(self, data: bytes) -> list[Any]:
        """Return the events in these bytes, the last of which may be the error that ends the connection."""
        events: list[Any] = []
        try:
            self.connection.receive_data(data)
            while (event := self.connection.next_event()) is not zttp.NEED_DATA:
                events.append(event)
        except zttp.RemoteProtocolError as error:
            events.append(error)
        return events


def is_over(events: list[Any]) -> bool:
    return bool(events) and isinstance(events[-1], zttp.RemoteProtocolError)


def test_trailers_that_cross_our_reset_end_the_connection() -> None:
    bare = Bare()
    bare.take(begin_post(1))
    bare.connection.stream(1).reset(7)
    assert is_over(bare.take(TRAILERS))


def test_a_head_on_a_stream_that_its_client_has_ended_ends_the_connection() -> None:
    bare = Bare()
    bare.take(get(1))
    assert is_over(bare.take(TRAILERS))


def test_each_frame_that_crosses_our_reset_is_answered_with_another() -> None:
    bare = Bare()
    bare.take(begin_post(1))
    bare.connection.stream(1).reset(7)
    bare.connection.data_to_send()
    events = bare.take(frame(DATA, 0, 1, b"x") * 3)
    assert [event.error_code for event in events] == [STREAM_CLOSED] * 3
    assert bare.connection.data_to_send() == frame(RST, 0, 1, STREAM_CLOSED.to_bytes(4, "big")) * 3


def test_priority_of_no_stream_is_ignored_and_one_that_is_too_short_ends_the_connection() -> None:
    assert not Bare().take(frame(PRIORITY, 0, 0, bytes(5)))
    assert is_over(Bare().take(frame(PRIORITY, 0, 1, bytes(4))))


def test_paths_that_are_none_are_let_through() -> None:
    for number, path in enumerate((b"x", b"/ a", b"/\xff")):
        (event,) = Bare().take(get(2 * number + 1, path))
        assert event.target == path


def test_a_value_that_begins_or_ends_with_a_blank_is_not_sent() -> None:
    for value in (b" a", b"a "):
        bare = Bare()
        bare.take(get(1))
        with pytest.raises(zttp.LocalProtocolError, match="CR/LF/NUL"):  # which is not the reason
            bare.connection.stream(1).send_response(200, [(b"grpc-message", value)], True)
