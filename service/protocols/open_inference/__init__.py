"""The Open Inference Protocol (KServe V2) over HTTP and gRPC, with Triton's extensions."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.open_inference import grpc, http
from ekiben.service.protocols.open_inference.streaming import STREAMS
from ekiben.service.protocols.open_inference.unserved import METHODS
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings

PROTOCOL = "open_inference"


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    services = {grpc.SERVICE: grpc.build_methods(dataplane, settings, f"{PROTOCOL}_grpc")}
    unserved = {f"{grpc.SERVICE}/{name}": reason for name, reason in METHODS.items()}
    streams = {grpc.SERVICE: STREAMS}
    return Protocol(PROTOCOL, http.build_routes(dataplane, settings, PROTOCOL), services, unserved, streams=streams)
