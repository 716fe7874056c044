"""gRPC on the HTTP port, for platforms that expose one port: HTTP/2's preface tells the two apart.

`RelayDetector` stands in for the HTTP protocol: it reads a connection's first bytes and then hands
the connection to that protocol, which has it to itself from there on, or joins it to the gRPC server's
Unix socket.
"""

import asyncio
import logging
import tempfile
from collections.abc import Callable
from typing import Any

from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.closing import ARRIVAL_S, CROSSING_S
from ekiben.service.connections.connection_limit import close_longest_idle
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http_connection import find_idle_s
from ekiben.service.connections.http_state import HttpState

logger = logging.getLogger("bentoml.service")


class GrpcSocket:
    """A Unix socket of this process's gRPC server, in a folder that only this user may enter."""

    path: str
    stop: Callable[[], object]

    def open(self, stop: Callable[[], object]) -> str:
        """Return where gRPC must listen; `stop` is called when uvicorn stops."""
        self._folder = tempfile.TemporaryDirectory(prefix="ekiben-")
        self.path = f"{self._folder.name}/grpc"
        self.stop = stop
        return f"unix:{self.path}"

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


class RelayDetector(asyncio.Protocol):
    """Reads a connection's first bytes and hands it to the HTTP or gRPC server."""

    _arrival: asyncio.TimerHandle

    def __init__(self, shared: HttpState, grpc_socket: GrpcSocket, **given: Any) -> None:
        self._shared = shared
        self._grpc_socket = grpc_socket
        self._given = given  # what uvicorn gives to its own protocol
        self._state = given["server_state"]
        self._begun = b""
        self.transport: Any = None
        self._loop = asyncio.get_running_loop()
        self.idle_since = self._loop.time()
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._state.connections.add(self)
        self._arrival = self._loop.call_later(find_idle_s(self._given["config"].timeout_keep_alive), transport.close)
        if len(self._state.connections) > self._shared.max_connections:
            close_longest_idle(self._state.connections)

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._arrival.cancel()
            self._arrival = self._loop.call_later(ARRIVAL_S, self.transport.close)
        self._begun += data
        if self._begun.startswith(PREFACE):
            self._arrival.cancel()
            self.transport.pause_reading()
            joining = asyncio.ensure_future(self._join_grpc())
            self._state.tasks.add(joining)  # uvicorn waits for these before it ends
            joining.add_done_callback(self._state.tasks.discard)
        elif not PREFACE.startswith(self._begun):
            self._arrival.cancel()
            self._hand_to_http()

    def connection_lost(self, error: Exception | None) -> None:
        self._arrival.cancel()
        self._state.connections.discard(self)

    def shutdown(self) -> None:
        """Close a connection over which nothing was asked yet, because uvicorn stops; one that is new may just be."""
        self._stopping = True
        self._loop.call_at(self.idle_since + CROSSING_S, self._close_unused)

    def is_answered(self) -> bool:
        """Return whether it may be closed to make room for others."""
        return True

    def _hand_to_http(self) -> None:
        self._state.connections.discard(self)
        protocol: Any = AdmissionConnection(self._shared, **self._given)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(self._begun)
        if self._stopping:
            protocol.shutdown()

    def _close_unused(self) -> None:
        if self in self._state.connections:
            self.transport.close()

    async def _join_grpc(self) -> None:
        client, path = self.transport, self._grpc_socket.path
        loop = asyncio.get_running_loop()
        try:
            server, _ = await loop.create_unix_connection(lambda: Relay(client), path)
        except OSError as error:  # it is stopping
            logger.warning("a gRPC connection on the HTTP port was closed: %s", error)
            client.abort()
            return
        if client.is_closing():
            server.close()
            return
        self._state.connections.discard(self)
        client.set_protocol(ClientRelay(server, self._state.connections, self._grpc_socket.stop))
        server.write(self._begun)
        client.resume_reading()


class Relay(asyncio.Protocol):
    """One end of a relayed connection: forwards what it receives, with backpressure.

    An end that says it will send no more is closed, and so is the other: gRPC does the same.
    """

    def __init__(self, other: Any) -> None:
        self._other = other  # the other end's transport

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._other.close()


class ClientRelay(Relay):
    """The client's end: uvicorn counts it among its connections and waits for it to close."""

    def __init__(self, other: Any, connections: set[Any], stop: Callable[[], object]) -> None:
        super().__init__(other)
        self._connections = connections
        self.shutdown = stop  # by uvicorn: gRPC closes its connections, once their calls are answered
        connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def is_answered(self) -> bool:
        """Return whether it may be closed to make room for others: gRPC alone knows, and has a limit of its own."""
        return False
