"""The frames that are written without zttp, or put right after it."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_STREAMS = 100  # at once; RFC 9113 6.5.2 wants no fewer
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, STREAM_CLOSED = 0, 1, 2, 5
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11
LAST_POSSIBLE = 2**31 - 1  # stream
PROBE = b"leaving!"  # in the PING whose answer says that the peer has read the GOAWAY before it


def announce(settings: bytes) -> bytes:
    """Return zttp's first frame with what is true of this server: fewer streams, and no extended CONNECT."""
    return settings.replace(_setting(3, 128), _setting(3, MAX_STREAMS), 1).replace(_setting(8, 1), _setting(8, 0), 1)


def write_goaway(last_stream: int, error_code: int, sentence: bytes = b"") -> bytes:
    """Return a GOAWAY."""
    return _write(7, 0, struct.pack(">II", last_stream, error_code) + sentence)


def write_ping() -> bytes:
    """Return the PING that asks whether what went before has arrived."""
    return _write(6, 0, PROBE)


def _setting(name: int, value: int) -> bytes:
    return struct.pack(">HI", name, value)


def _write(kind: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, 0)) + struct.pack(">I", stream) + payload
