"""TensorFlow Serving over REST and gRPC; KServe V1, whose paths are among its own."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.protocol import Dialect
from ekiben.service.protocols.tensorflow_serving import grpc, rest
from ekiben.service.settings import Settings

PROTOCOL = "tensorflow_serving"


def dialect(dataplane: Dataplane, settings: Settings) -> Dialect:
    """Return what this protocol registers."""
    services = grpc.build_services(dataplane, f"{PROTOCOL}_grpc")
    return Dialect(PROTOCOL, rest.build_routes(dataplane, settings, PROTOCOL), services)
