"""TensorFlow Serving over REST and gRPC; KServe V1, whose paths are among its own."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.protocols.tensorflow_serving import grpc, rest
from ekiben.service.settings import Settings

PROTOCOL = "tensorflow_serving"
UNSERVED = {
    f"{grpc.PACKAGE}.PredictionService/MultiInference": "call Classify or Regress, whichever fits the model",
    f"{grpc.PACKAGE}.ModelService/HandleReloadConfigRequest": (
        "`ekiben promote` chooses the version, POST /v2/repository/models/MODEL/load too"
    ),
    f"{grpc.PACKAGE}.SessionService/SessionRun": "call PredictionService/Predict",
}


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    services = grpc.build_services(dataplane, f"{PROTOCOL}_grpc")
    return Protocol(PROTOCOL, rest.build_routes(dataplane, settings, PROTOCOL), services, UNSERVED)
