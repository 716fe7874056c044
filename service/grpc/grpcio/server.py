"""grpcio's server: every protocol's services, health and reflection, on the event loop of the HTTP server."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc

from ekiben.service.auth import Authenticator
from ekiben.service.connections.connection_limit import find_grpc_limit
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.ports import in_url
from ekiben.service.grpc.grpcio.credentials import Credentials
from ekiben.service.grpc.grpcio.handlers import UnservedHandlers, make_handler
from ekiben.service.grpc.grpcio.message_reader import MessageReceiver
from ekiben.service.grpc.methods import Methods
from ekiben.service.grpc.record import ServerState
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.secrets.tls import Tls
from ekiben.service.settings import Settings

# On a connection; more wait in the client. RFC 9113 6.5.2 wants no fewer: 1,500 calls/s if each takes 64 ms. Calls
# without a message on ten connections hold others up for 93 ms, with 128 streams for 125.
MAX_STREAMS = 100
# Of a call. From here on gRPC's servers reject at random, and twice as much always. As much of it becomes Python's
# objects, whatever comes: with twice as much 1,600 calls of 1,500 headers hold others up for 0.7 s, not 0.45.
MAX_METADATA_BYTES = 8 * 2**10
HANDSHAKE_S = 10  # for a connection's first bytes: it takes one of the few there may be
IDLE_S = 60  # without a call, until a connection is closed; clients open another with their next call
# Calls of a registered method, or of all others, that wait for the event loop, 14 KB each: half a second. Of more, up
# to twice as many, gRPC drops some at random, without a status and whoever's they are.
MAX_PENDING = 2000
KEEPALIVE_S = 60, 20  # until a silent peer is asked whether it lives, and for its answer


class GrpcioServer:
    """Serves the protocols' gRPC methods; belongs to one event loop."""

    def __init__(
        self, protocols: Iterable[Protocol], settings: Settings, authenticator: Authenticator, http: HttpState,
        max_values: int,
    ) -> None:  # fmt: skip
        """`max_values`: of one field of a message, rows times features."""
        budget, note_call = http.budget, http.admission.share
        self._server: Any = grpc.aio.server(options=list(_list_options(settings)))
        receiver = MessageReceiver(budget, settings.max_body_bytes)
        self._state = ServerState(settings, authenticator, budget, max_values)
        self.methods = methods = Methods(protocols, self._state)
        self._stopping: asyncio.Task[None] | None = None
        for name, described in methods.services.items():
            handlers = {path: make_handler(method, receiver, note_call) for path, method in described.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self._server.add_generic_rpc_handlers((UnservedHandlers(methods.unserved, receiver),))
        # What needs no token waits in queues of its own: registered methods do. All can't be, the event loop would
        # look at each with every call.
        for name, described in methods.own.items():
            own = {path: make_handler(method, receiver, note_call) for path, method in described.items()}
            self._server.add_registered_method_handlers(name, own)  # type: ignore[attr-defined]

    async def start(self, settings: Settings, *addresses: str, tls: Tls | None = None) -> None:
        """Listen on the gRPC port and these addresses besides."""
        for address in addresses:
            self._server.add_insecure_port(address)
        _listen(self._server, settings, tls)
        await self._server.start()

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
            self._stopping = asyncio.ensure_future(self._server.stop(grace_s))
        return self._stopping


def _listen(server: Any, settings: Settings, tls: Tls | None) -> None:
    address = f"{in_url(settings.host)}:{settings.grpc_port}"  # gRPC takes 0.0.0.0 for every address, as it does ::
    if tls is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, Credentials(tls).make())


def _list_options(settings: Settings) -> Iterable[tuple[str, int]]:
    idle_s, answer_s = KEEPALIVE_S
    return {
        "grpc.so_reuseport": 1,  # the workers of one machine share the port
        "grpc.max_receive_message_length": settings.max_body_bytes,
        "grpc.max_send_message_length": -1,
        "grpc.per_message_decompression": 0,  # ekiben.service.grpc.unpacking does it
        "grpc.http2.bdp_probe": 0,  # it lets every stream send megabytes before anyone asks for its message
        "grpc.max_concurrent_streams": MAX_STREAMS,
        "grpc.server.max_pending_requests": MAX_PENDING,
        "grpc.server.max_pending_requests_hard_limit": 2 * MAX_PENDING,
        "grpc.max_metadata_size": MAX_METADATA_BYTES,
        "grpc.absolute_max_metadata_size": MAX_METADATA_BYTES,
        "grpc.max_allowed_incoming_connections": find_grpc_limit(),
        "grpc.server_handshake_timeout_ms": 1000 * HANDSHAKE_S,
        "grpc.max_connection_idle_ms": 1000 * IDLE_S,
        "grpc.max_connection_age_ms": int(1000 * settings.grpc_connection_age_s),
        "grpc.max_connection_age_grace_ms": int(1000 * settings.max_timeout_s),
        "grpc.keepalive_time_ms": 1000 * idle_s,
        "grpc.keepalive_timeout_ms": 1000 * answer_s,
        # Without limit: 200,000 cost 0.03 s. gRPC would end the connection after two, and until it has done so copy
        # an ever longer error with each: 60,000 cost 1.5 s.
        "grpc.http2.max_ping_strikes": 0,
    }.items()
