"""Which protocol a connection speaks: TLS has agreed on one (ALPN), or its first bytes say so."""

import asyncio
from collections.abc import Callable
from typing import Any

from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.closing import ARRIVAL_S, CROSSING_S
from ekiben.service.connections.connection_limit import close_longest_idle
from ekiben.service.connections.http2.asgi_request import AsgiRequest
from ekiben.service.connections.http2.asgi_scope import Site
from ekiben.service.connections.http2.connection import Http2Connection, Port
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http2.stream_handler import StreamHandler
from ekiben.service.connections.http_connection import find_idle_s
from ekiben.service.connections.http_state import HttpState

HTTP2, HTTP1 = "h2", "http/1.1"  # names of ALPN
GRPC, GRPC_WEB = b"application/grpc", b"application/grpc-web"


class ProtocolDetector(asyncio.Protocol):
    """Reads a connection's first bytes and hands it to the connection that can read on."""

    transport: Any

    def __init__(self, shared: HttpState, port: Port, speak_http1: Callable[[], Any], first_bytes_s: float) -> None:
        """`first_bytes_s`: that a connection may say nothing."""
        self._shared, self._port = shared, port
        self._speak_http1 = speak_http1
        self._loop = asyncio.get_running_loop()
        self._begun = b""
        self._first_bytes_s = first_bytes_s
        self._arrival: asyncio.TimerHandle | None = None
        self._stopping = False
        self.idle_since = self._loop.time()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._port.connections.add(self)
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted and encrypted.selected_alpn_protocol() == HTTP2:
            self._hand_to(Http2Connection(self._shared, self._port))
            return
        if self._shared.stopping:
            self.shutdown()
        self._close_after(self._first_bytes_s)
        if len(self._port.connections) > self._port.max_connections:
            close_longest_idle(self._port.connections)

    def data_received(self, data: bytes) -> None:
        first, self._begun = not self._begun, self._begun + data
        if self._begun.startswith(PREFACE):
            self._hand_to(Http2Connection(self._shared, self._port))
        elif not PREFACE.startswith(self._begun):
            self._hand_to(self._speak_http1())
        elif first and self._first_bytes_s > ARRIVAL_S:
            self._close_after(ARRIVAL_S)

    def connection_lost(self, error: Exception | None) -> None:
        if self._arrival:
            self._arrival.cancel()
        self._port.connections.discard(self)

    def shutdown(self) -> None:
        """Close a connection over which nothing was asked yet, because uvicorn stops; one that is new may just be."""
        self._stopping = True
        self._loop.call_at(self.idle_since + CROSSING_S, self._close_unused)

    def is_answered(self) -> bool:
        """Return whether it may be closed to make room for others."""
        return True

    def _close_after(self, seconds: float) -> None:
        if self._arrival:
            self._arrival.cancel()
        self._arrival = self._loop.call_later(seconds, self.transport.close)

    def _hand_to(self, protocol: Any) -> None:
        if self._arrival:
            self._arrival.cancel()
        self._port.connections.discard(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self._begun:
            protocol.data_received(self._begun)
        if self._stopping or self._shared.stopping:
            protocol.shutdown()

    def _close_unused(self) -> None:
        if self in self._port.connections:
            self.transport.close()


def detect_protocol(shared: HttpState, **given: Any) -> ProtocolDetector:
    """Return what reads a new connection of uvicorn's; `given` is what uvicorn gives to its own protocol."""
    state = given["server_state"]
    site = Site(shared, given["config"], state, given["app_state"])

    def answer(stream: Stream) -> StreamHandler:
        if shared.answer_grpc and is_grpc(stream):
            return shared.answer_grpc(stream)
        return AsgiRequest(site, stream)

    idle_s = find_idle_s(site.config.timeout_keep_alive)
    port = Port(answer, state.connections, shared.max_connections, idle_s)
    return ProtocolDetector(shared, port, lambda: AdmissionConnection(shared, **given), idle_s)


def is_grpc(stream: Stream) -> bool:
    """Return whether a request is a gRPC call; gRPC-Web's are ordinary ones."""
    kinds = [value for name, value in stream.headers if name == b"content-type"]
    return any(kind.startswith(GRPC) and not kind.startswith(GRPC_WEB) for kind in kinds)
