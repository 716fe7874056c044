"""Who is measured in `make peers`: every server, which engine it computes with, and which package it is."""

import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from ekiben.contract.version import VERSION
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import BARE, INVOCATIONS, OIP_BINARY, OIP_JSON, PREDICT, RequestFormat
from ekiben.load_tests.servers import environment
from ekiben.load_tests.servers.start import EKIBEN, MLSERVER, Peer

Engine = Literal["TensorFlow", "LiteRT"]


@dataclass(frozen=True)
class Entry:
    """A server in the table."""

    peer: Peer
    engine: str
    package: str = ""  # whose version is shown; "" is this project

    @property
    def version(self) -> str:
        """Which release is measured."""
        if not self.package:
            return VERSION
        if not self.peer.environment:
            return version(self.package)
        return environment.find_version(self.peer.environment, self.package)


def batchable(service: str, request_format: RequestFormat) -> Entry:
    """Return BentoML's own batching, which runs where the project does."""
    command = ("bentoml", "serve", f"ekiben.load_tests.servers.batchable:{service}", "--port")
    return Entry(Peer("BentoML batchable", command, (request_format,)), "TensorFlow", "bentoml")


def beside(
    name: str, environment: str, engine: Engine, package: str, request_formats: tuple[RequestFormat, ...]
) -> Entry:
    """Return a server that computes with either engine; its module is called as its environment is."""
    command = (f"ekiben.load_tests.servers.{environment}", engine)
    return Entry(Peer(name, command, request_formats, environment=environment), engine, package)


OURS = Entry(Peer(EKIBEN.name, EKIBEN.command, (PREDICT, OIP_JSON, OIP_BINARY, OIP_RAW, INVOCATIONS)), "LiteRT")
ENTRIES = (
    OURS,
    batchable("Bare", BARE),
    batchable("Named", PREDICT),
    beside("FastAPI", "fastapi", "TensorFlow", "fastapi", (PREDICT,)),
    beside("FastAPI", "fastapi", "LiteRT", "fastapi", (PREDICT,)),
    beside("LitServe", "litserve", "TensorFlow", "litserve", (PREDICT,)),
    beside("LitServe", "litserve", "LiteRT", "litserve", (PREDICT,)),
    beside("Ray Serve", "ray", "TensorFlow", "ray", (PREDICT,)),
    beside("Ray Serve", "ray", "LiteRT", "ray", (PREDICT,)),
    Entry(
        Peer("mlflow models serve", ("ekiben.load_tests.servers.mlflow",), (INVOCATIONS,), environment="mlflow"),
        "Keras", "mlflow",
    ),
    Entry(Peer("MLServer", MLSERVER.command, (OIP_JSON, OIP_RAW), environment="mlserver"), "LiteRT", "mlserver"),
    beside("PyTriton", "pytriton", "LiteRT", "nvidia-pytriton", (OIP_BINARY, OIP_RAW)),
)  # fmt: skip


def find_entries() -> list[Entry]:
    """Return what is installed; say on stderr what is not."""
    missing = dict.fromkeys(entry.peer.environment for entry in ENTRIES if not is_there(entry))
    for name in missing:
        print(environment.describe_missing(name), file=sys.stderr)
    return [entry for entry in ENTRIES if is_there(entry)]


def is_there(entry: Entry) -> bool:
    """Return whether the server can be started."""
    return not entry.peer.environment or environment.is_installed(entry.peer.environment)
