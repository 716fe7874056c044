"""A port for HTTP/2 alone, beside uvicorn's: who speaks HTTP/1.1 there gets one sentence."""

import asyncio
import socket
import ssl
from typing import Any

from ekiben.service.connections.backlog import close_servers
from ekiben.service.connections.detecting import ProtocolDetector
from ekiben.service.connections.http2.connection import Port
from ekiben.service.connections.http_state import HttpState
from ekiben.service.http.messages import encode_json

FIRST_BYTES_S = 10.0  # for a connection's first bytes, and TLS before them: it takes one of the few there may be
BACKLOG = 1024
SENTENCE = "this port speaks HTTP/2 only, for gRPC: send HTTP/1.1 to the HTTP port"
LOOK_S = 0.02  # between looks whether the last connection is closed


class Http2Listener:
    """Listens on one address, and ends the connections that came there; belongs to one event loop."""

    def __init__(self, shared: HttpState, port: Port) -> None:
        self._shared, self._port = shared, port
        self._servers: list[asyncio.Server] = []
        self._context: ssl.SSLContext | None = None
        self._joining: list[asyncio.Task[None]] = []  # connections that came as the port was closed

    async def open(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """Listen there; the workers of one machine share the port. Raises OSError if that can't be done."""
        self._context = context
        handshake_s = FIRST_BYTES_S if context else None
        self._servers.append(
            await asyncio.get_running_loop().create_server(
                self._connect, sock=_bind(host, port), ssl=context, ssl_handshake_timeout=handshake_s, backlog=BACKLOG
            )
        )

    def leave(self) -> None:
        """Take no more connections, and ask for the end of those there are."""
        self._shared.stopping = True
        self._joining += close_servers(self._servers, self._connect, self._context)
        self._servers.clear()
        for connection in list(self._port.connections):
            connection.shutdown()

    async def close(self, grace_s: float) -> None:
        """Leave; return once all that is under way was answered, or that time is over."""
        self.leave()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_s
        while self._is_used() and loop.time() < deadline:
            await asyncio.sleep(LOOK_S)
        for connection in list(self._port.connections):
            connection.transport.abort()

    def _is_used(self) -> bool:
        return bool(self._port.connections) or not all(task.done() for task in self._joining)

    def _connect(self) -> ProtocolDetector:
        return ProtocolDetector(self._shared, self._port, WrongPort, FIRST_BYTES_S)


class WrongPort(asyncio.Protocol):
    """Answers what is not HTTP/2, and closes the connection."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        body = encode_json({"error": SENTENCE})
        head = b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        self._transport.write(head % len(body) + b"connection: close\r\n\r\n" + body)
        self._transport.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family == socket.AF_INET6 and host == "::"
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True, dualstack_ipv6=dual)
