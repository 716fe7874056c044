"""Our own gRPC server: every protocol's services, health and reflection, on HTTP/2 connections of the event loop."""

import asyncio
from collections.abc import Iterable

from ekiben.service.auth import Authenticator
from ekiben.service.connections.connection_limit import find_grpc_limit
from ekiben.service.connections.http2.connection import Http2Connection, Port
from ekiben.service.connections.http2.listener import Http2Listener
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http2.stream_handler import StreamHandler
from ekiben.service.connections.http_state import HttpState
from ekiben.service.grpc.methods import Methods
from ekiben.service.grpc.native.answering import Answering
from ekiben.service.grpc.native.shared import Shared
from ekiben.service.grpc.record import ServerState
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.secrets.tls import Tls
from ekiben.service.settings import Settings

IDLE_S = 60.0  # without a call, until a connection is closed; clients open another with their next call
UNIX = "unix:"  # how the path of a socket begins


class NativeServer:
    """Serves the protocols' gRPC methods; belongs to one event loop."""

    def __init__(
        self, protocols: Iterable[Protocol], settings: Settings, authenticator: Authenticator, http: HttpState,
        max_values: int,
    ) -> None:  # fmt: skip
        """`max_values`: of one field of a message, rows times features."""
        self._http = http
        http.answer_grpc = self.answer
        self._state = ServerState(settings, authenticator, http.budget, max_values)
        self.methods = Methods(protocols, self._state)
        self._answering = Answering(self.methods, Shared(http.admission, http.budget, settings.max_body_bytes))
        self._port = Port(self.answer, max_connections=find_grpc_limit(), idle_s=IDLE_S)
        self._listener = Http2Listener(http, self._port)
        self._sockets: list[asyncio.Server] = []
        self._stopping: asyncio.Task[None] | None = None

    def answer(self, stream: Stream) -> StreamHandler:
        """Return what answers a stream, whichever port it came to."""
        return self._answering.answer(stream)

    async def start(self, settings: Settings, *addresses: str, tls: Tls | None = None) -> None:
        """Listen on the gRPC port and these sockets besides."""
        for address in addresses:
            path = address.removeprefix(UNIX)
            self._sockets.append(await asyncio.get_running_loop().create_unix_server(self._connect, path))
        context = tls.follow() if tls else None
        await self._listener.open(settings.host, settings.grpc_port, context)

    def allow_values(self, max_values: int) -> None:
        """Let a field of a message hold so many values, or more if it could."""
        self._state.max_values = max(self._state.max_values, max_values)

    def stop_being_ready(self) -> None:
        """Report not ready to probes; requests are still answered."""
        self.methods.health.stop_being_ready()

    def stop(self, grace_s: float) -> "asyncio.Task[None]":
        """Take no new calls and give those under way that long; what was said first counts."""
        if self._stopping is None:
            self.methods.stop()
            for server in self._sockets:
                server.close()
            self._listener.leave()
            self._stopping = asyncio.ensure_future(self._listener.close(grace_s))
        return self._stopping

    def _connect(self) -> Http2Connection:
        return Http2Connection(self._http, self._port)
