"""HTTP/2 by hand: connections that do what no gRPC client would."""

import socket
from collections.abc import Mapping
from typing import Self

from ekiben.service.connections.http2.frames import PREFACE

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LONG = 127  # of HPACK's 7 bits for a string's length; from there more bytes follow
CANCEL = (8).to_bytes(4, "big")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def head(path: str, headers: Mapping[str, str] = {}) -> bytes:
    """Return a call's header block, nothing of it compressed."""
    given = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
    pairs = (given | {"content-type": "application/grpc"} | dict(headers)).items()
    return b"".join(bytes([0]) + string(name) + string(value) for name, value in pairs)


def string(text: str) -> bytes:
    """Return a string as HPACK has it where nothing is compressed."""
    length, content = len(text.encode()), text.encode()
    if length < LONG:
        return bytes([length]) + content
    length, prefix = length - LONG, bytes([LONG])
    while length > 127:
        prefix += bytes([length & 127 | 128])
        length >>= 7
    return prefix + bytes([length]) + content


class Http2Connection:
    """One connection that has exchanged settings."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self.send(PREFACE + frame(SETTINGS, 0, 0))
        self._socket.recv(1024)
        self.send(frame(SETTINGS, ACK, 0))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def begin(self, stream: int, path: str) -> None:
        """Begin a call whose message doesn't come."""
        self.send(frame(HEADERS, END_HEADERS, stream, head(path)))

    def receive(self) -> bytes:
        """Return what the server has to say, b"" once it has closed the connection."""
        return self._socket.recv(65536)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
