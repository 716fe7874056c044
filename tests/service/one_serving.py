"""Protocols over one dataplane, as a worker puts them together, for tests within this process."""

from collections.abc import Iterable
from typing import Any

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.row_log.logs import Logs
from ekiben.service.servings.dispatch import unite
from ekiben.service.servings.on_demand import OnDemand
from ekiben.service.servings.reloading import Reloader
from ekiben.service.servings.repository import build_repository
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.settings import Settings


def hold(dataplane: Dataplane, protocols: Iterable[Protocol]) -> Servings:
    """Return what serves this dataplane's model alone."""
    return Servings([Serving(dataplane.model, dataplane, Logs(), tuple(protocols))])


def assemble(servings: Servings, settings: Settings) -> list[Protocol]:
    """Return the protocols with the repository's; it loads nothing."""
    nothing: Any = None
    on_demand = OnDemand(servings, Reloader(servings, nothing), nothing, nothing, nothing)
    return [
        build_repository(servings, on_demand, settings, {}),
        *unite(servings, servings.default.current.protocols),
    ]


def list_methods(protocols: Iterable[Protocol]) -> dict[str, Any]:
    """Return the gRPC methods, `service/name`."""
    return {
        f"{service}/{name}": method
        for protocol in protocols
        for service, methods in protocol.services.items()
        for name, method in methods.items()
    }
