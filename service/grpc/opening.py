"""Opens the gRPC server that the settings choose: our own, or grpcio's if it is installed."""

import asyncio
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Protocol as Interface

from ekiben.contract.errors import UserError
from ekiben.service.auth import Authenticator
from ekiben.service.connections.http_state import HttpState
from ekiben.service.grpc.methods import Methods
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.secrets.tls import Tls
from ekiben.service.settings import Settings

MAX_VALUES = 1_000_000
MISSING = "GRPC_SERVER=grpcio: grpcio is not installed: `pip install 'ekiben[grpcio]'`, or leave the variable out"


class GrpcServer(Interface):
    """Serves the protocols' gRPC methods; belongs to one event loop."""

    methods: Methods

    async def start(self, settings: Settings, *addresses: str, tls: Tls | None = None) -> None:
        """Listen on the gRPC port and these addresses besides."""

    def allow_values(self, max_values: int) -> None:
        """Let a field of a message hold so many values, or more if it could."""

    def stop_being_ready(self) -> None:
        """Report not ready to probes; requests are still answered."""

    def stop(self, grace_s: float) -> "asyncio.Task[None]":
        """Take no new calls and give those under way that long; what was said first counts."""


def open_grpc(
    protocols: Iterable[Protocol], settings: Settings, authenticator: Authenticator, http: HttpState,
    max_values: int = MAX_VALUES,
) -> GrpcServer:  # fmt: skip
    """Return the server; `max_values`: of one field of a message, rows times features."""
    given = protocols, settings, authenticator, http, max_values
    if settings.grpc_server == "grpcio":
        from ekiben.service.grpc.grpcio.server import GrpcioServer

        return GrpcioServer(*given)
    from ekiben.service.grpc.native.server import NativeServer

    return NativeServer(*given)


def relays(settings: Settings) -> bool:
    """Return whether gRPC on the HTTP port must be handed on to grpcio; our own server answers it there anyway."""
    return settings.grpc_on_main_port and settings.grpc_server == "grpcio"


def check_grpcio(settings: Settings) -> None:
    """Raise UserError if the settings ask for grpcio and it is not there."""
    if settings.grpc_server == "grpcio" and find_spec("grpc") is None:
        raise UserError(MISSING)
