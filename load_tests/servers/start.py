"""The servers that are measured: what starts each, and what it can be asked."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import grpc
import psutil

from ekiben.contract.errors import UserError
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import BARE, OIP_BINARY, OIP_JSON, PREDICT, TFS_REST, RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.servers import environment, packed_model
from ekiben.load_tests.servers.process import end, family
from ekiben.model.package import LITERT_FILE, SAVED_MODEL_FOLDER, SCHEMA_FILE
from ekiben.model.store import find_model
from ekiben.service.environment import read_settings
from ekiben.service.target import TARGET

START_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 30  # after a load some servers go on computing for those who left
GRPC_OFFSET = 100  # from the HTTP port
NOTHING: Mapping[str, str] = {}
CHANNEL_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))


@dataclass(frozen=True)
class Peer:
    """A server: its name in the table, the module that starts it on a port, and the protocols it is measured in."""

    name: str
    command: tuple[str, ...]
    request_formats: tuple[RequestFormat, ...]
    echoes: bool = False
    environment: str = ""  # of ekiben.load_tests.servers.environment; "" is the one this runs in
    settings: tuple[tuple[str, str], ...] = ()  # variables of its environment


MLSERVER = Peer(
    "MLServer", ("ekiben.load_tests.servers.mlserver",), (OIP_JSON, OIP_RAW, OIP_TYPED), environment="mlserver"
)  # fmt: skip
EKIBEN = Peer(
    "**Ekiben**", ("bentoml", "serve", TARGET, "--port"),
    (PREDICT, OIP_JSON, OIP_BINARY, TFS_REST, OIP_RAW, OIP_TYPED, TFS_GRPC),
)  # fmt: skip
GRPCIO = Peer("Ekiben by grpcio", EKIBEN.command, (OIP_RAW, OIP_TYPED, TFS_GRPC), settings=(("GRPC_SERVER", "grpcio"),))
FLOOR = Peer("floor", ("ekiben.load_tests.servers.floor",), (PREDICT,))
ECHO = Peer("grpc.aio echo", ("ekiben.load_tests.servers.echo",), (OIP_RAW, OIP_TYPED, TFS_GRPC), echoes=True)
PEERS = (
    Peer("BentoML batchable", ("bentoml", "serve", "ekiben.load_tests.servers.batchable:Bare", "--port"), (BARE,)),
    Peer("BentoML batchable", ("bentoml", "serve", "ekiben.load_tests.servers.batchable:Named", "--port"), (PREDICT,)),
    MLSERVER,
    EKIBEN,
    GRPCIO,
    FLOOR,
    ECHO,
)
REQUEST_FORMATS = tuple(
    dict.fromkeys(request_format for peer in (PEERS[0], EKIBEN) for request_format in peer.request_formats)
)  # in the table's order


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    peer: Peer
    port: int
    process: psutil.Process
    start_s: float  # from its start to its first correct answer

    def url(self, case: RequestCase) -> str:
        """Return where a question goes."""
        return f"http://{address(self.port, case.request_format)}{case.path}"

    def check(self, case: RequestCase) -> bytes:
        """Ask, and return the answer; raise UserError unless it is right."""
        answer = ask(self.port, case)
        if answer is None or not is_right(self.peer, case, answer):
            what = "no answer" if answer is None else f"a wrong answer ({answer[:200]!r})"
            raise UserError(f"{self.peer.name} gave {what} to {case.request_format.name}")
        return answer


@contextmanager
def start(
    peer: Peer, port: int, case: RequestCase, folder: Path, settings: Mapping[str, str] = NOTHING
) -> Iterator[Running]:
    """Start a server and wait until it answers the question; stop it at the end."""
    check_free(port)
    log = folder / f"{port}.log"
    python = environment.find_command(peer.environment) if peer.environment else sys.executable
    variables = (
        {"DRAIN_DELAY_S": "0", "GRPC_PORT": str(port + GRPC_OFFSET)}
        | describe_model()
        | dict(peer.settings)
        | dict(settings)
    )
    if peer.environment:  # this package is not in it; the others find the one that runs here, as this process did
        variables["PYTHONPATH"] = str(environment.FOLDER)
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "-m", *peer.command, str(port)],
            stdout=output, stderr=subprocess.STDOUT, env=os.environ | variables,
        )  # fmt: skip
    try:
        while ask(port, case) is None:
            if process.poll() is not None or time.perf_counter() - began > START_TIMEOUT_S:
                raise UserError(f"{peer.name} did not start: {log.read_text()[-500:]}")
            time.sleep(0.02)
        yield Running(peer, port, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        if process.poll() is None:
            end(family(psutil.Process(process.pid)))
        process.wait()


def describe_model() -> dict[str, str]:
    """Return the environment variables by which a peer finds the model."""
    model = find_model(read_settings().model_name)
    path = Path(model.path)
    return {
        packed_model.NAME: model.tag.name,
        packed_model.VERSION: str(model.tag.version),
        packed_model.SCHEMA: str(path / SCHEMA_FILE),
        packed_model.LITERT: str(path / LITERT_FILE),
        packed_model.SAVED_MODEL: str(path / SAVED_MODEL_FOLDER),
    }


def check_free(port: int) -> None:
    """Raise UserError if something listens on the port already: it would be measured instead."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"something else listens on port {port}: stop it or choose another port")


def ask(port: int, case: RequestCase) -> bytes | None:
    """Return the answer of the server on that port, None if it has none."""
    where = address(port, case.request_format)
    try:
        if case.request_format.grpc:
            with grpc.insecure_channel(where, CHANNEL_OPTIONS) as channel:
                return bytes(channel.unary_unary(case.path, bytes, bytes)(case.body, timeout=ANSWER_TIMEOUT_S))
        with urlopen(
            Request(f"http://{where}{case.path}", case.body, case.headers), timeout=ANSWER_TIMEOUT_S
        ) as response:
            return bytes(response.read())
    except (URLError, OSError, grpc.RpcError):
        return None


def address(port: int, request_format: RequestFormat) -> str:
    """Return where a server on that port is asked in a protocol."""
    return f"127.0.0.1:{port + GRPC_OFFSET if request_format.grpc else port}"


def is_right(peer: Peer, case: RequestCase, answer: bytes) -> bool:
    """Return whether an answer is what the model gave in training, or from an echo what was sent."""
    return answer == case.body if peer.echoes else case.is_answered_by(answer)
