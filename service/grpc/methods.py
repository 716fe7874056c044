"""All that gRPC answers: every protocol's methods, health and reflection, by path."""

from collections.abc import Iterable, Mapping

from ekiben.service.grpc import health
from ekiben.service.grpc.answer_stream import AnswerStreamMethod
from ekiben.service.grpc.call import UnaryMethod
from ekiben.service.grpc.health import Health
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.reflection import describe_reflection
from ekiben.service.grpc.stream import StreamMethod
from ekiben.service.grpc.unserved import UnservedMethods
from ekiben.service.protocols.protocol import AnswerStream, Protocol

AnyStreamMethod = StreamMethod | AnswerStreamMethod
AnyMethod = UnaryMethod | AnyStreamMethod
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
            for name, streams in protocol.streams.items():
                self.services.setdefault(name, {}).update(
                    {
                        path: AnswerStreamMethod(_make_unary(state, protocol, name, path, stream), stream)
                        for path, stream in streams.items()
                    }
                )
        self.health = Health(self.services)
        self.unserved = UnservedMethods(state, self.services, reasons)
        # What every server has besides: it stands in no sentence about what is served.
        self.own: Services = describe_reflection((*self.services, health.SERVICE), state)
        self.own[health.SERVICE] = {**self.health.describe(state)}
        self.by_path: Mapping[str, AnyMethod] = {
            f"/{service}/{name}": method
            for service, methods in (self.services | self.own).items()
            for name, method in methods.items()
        }

    def stop(self) -> None:
        """End the streams that have no end of their own; what was asked on them is answered."""
        self.health.end()
        for methods in self.services.values():
            for method in methods.values():
                if isinstance(method, AnswerStreamMethod):
                    method.stop()


def _make_unary(state: ServerState, protocol: Protocol, service: str, path: str, stream: AnswerStream) -> UnaryMethod:
    """Return what answers each message of a stream; it is counted and logged as a call of the stream's method."""
    method = protocol.services[service][stream.method]
    return UnaryMethod(state, method, f"{protocol.name}_grpc", f"/{service}/{path}")
