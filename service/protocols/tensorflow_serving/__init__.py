"""TensorFlow Serving over REST and gRPC; KServe V1, whose paths are among its own."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.protocols.tensorflow_serving import grpc, rest
from ekiben.service.settings import Settings

PROTOCOL = "tensorflow_serving"


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    services = grpc.build_services(dataplane, f"{PROTOCOL}_grpc")
    return Protocol(PROTOCOL, rest.build_routes(dataplane, settings, PROTOCOL), services)
