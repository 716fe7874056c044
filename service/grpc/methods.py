"""All that gRPC answers: every protocol's methods, health and reflection, by path."""

from collections.abc import Iterable, Mapping

from ekiben.service.grpc import health
from ekiben.service.grpc.call import ServerState, UnaryMethod
from ekiben.service.grpc.health import Health
from ekiben.service.grpc.reflection import describe_reflection
from ekiben.service.grpc.stream import StreamMethod
from ekiben.service.grpc.unserved import UnservedMethods
from ekiben.service.protocols.protocol import Protocol

AnyMethod = UnaryMethod | StreamMethod
Services = dict[str, dict[str, AnyMethod]]  # by name, and then by method


class Methods:
    """What answers calls; belongs to one event loop."""

    def __init__(self, protocols: Iterable[Protocol], state: ServerState) -> None:
        self.state = state
        self.services: Services = {}  # in their order; several protocols may share a service
        reasons: dict[str, str] = {}
        for protocol in protocols:
            reasons |= protocol.unserved
            for name, methods in protocol.services.items():
                label = f"{protocol.name}_grpc"
                self.services.setdefault(name, {}).update(
                    {path: UnaryMethod(state, method, label, f"/{name}/{path}") for path, method in methods.items()}
                )
        self.health = Health(self.services)
        self.unserved = UnservedMethods(state, self.services, reasons)
        # What every server has besides: it stands in no sentence about what is served.
        self.own: Services = describe_reflection((*self.services, health.SERVICE), state)
        self.own[health.SERVICE] = self.health.describe(state)
        self.by_path: Mapping[str, AnyMethod] = {
            f"/{service}/{name}": method
            for service, methods in (self.services | self.own).items()
            for name, method in methods.items()
        }
