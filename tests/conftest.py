"""One small real model, trained once, and real servers on free ports; all state in a temporary folder."""

import itertools
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
STATE = Path(tempfile.mkdtemp(prefix="ekiben-tests-"))
TABLES = STATE / "tables"  # where the table of the first training is kept

# Before anything imports BentoML or MLflow: both read these once.
os.environ["BENTOML_HOME"] = str(STATE / "bentoml")
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{STATE}/mlflow.db"
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # processes of its server that nobody gives a job
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

from ekiben.model.package import PackedModel  # noqa: E402
from ekiben.model.store import find_model, open_stored  # noqa: E402
from tests.http_client import HTTP  # noqa: E402
from tests.warm_process import is_warm, run_warm  # noqa: E402

NAME = "flight_delay"
ROWS = 20_000  # of the table: enough for every airport to be seen
# Of this many rows 256 are test rows: LiteRT must not have to fill up a batch, see test_architecture.py.
FEW_ROWS = 1551
PATIENCE_S = 90  # with a machine that does much else: it costs time only where a test fails
RUN_TIMEOUT_S = 300
# Each test process has every so-manieth, from a place of its own: another suite may run on this machine.
PROCESS, PROCESSES = int(os.getenv("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.getenv("PYTEST_XDIST_WORKER_COUNT", "1"))
FIRST_PORT = 20_000 + random.randrange(10_000) // PROCESSES * PROCESSES + PROCESS
PORTS = itertools.cycle(range(FIRST_PORT, 32_000, PROCESSES))
if "CI" not in os.environ:  # where Hypothesis has a profile of its own, which is as patient
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
LONGEST = ("test_any_table.py", "training/test_commands.py", "test_architecture.py", "deploy/test_container.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the quick tests come first; where files are dealt out to processes, the longest of these."""
    if config.getoption("dist", "no") == "no" and not hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    else:
        items.sort(key=lambda item: not str(item.path).endswith(LONGEST))


def pytest_sessionfinish() -> None:
    shutil.rmtree(STATE, ignore_errors=True)


@pytest.fixture(scope="session")
def training_output() -> str:
    """What `ekiben train` printed as it filled the stores."""
    options = ["--rows", str(ROWS), "--epochs", "2", "--keep-table"]
    return run("-m", "ekiben.training", "train", *options, EKIBEN_TABLES=str(TABLES)).stdout


@pytest.fixture(scope="session")
def model(training_output: str) -> PackedModel:
    """The packed model that training left in the BentoML store."""
    return open_stored(find_model(NAME))


@dataclass(frozen=True)
class SecondTraining:
    """A training that was not better than the first: what it printed, and the variables of stores with both."""

    output: str
    stores: dict[str, str]


@pytest.fixture(scope="session")
def second_training(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> SecondTraining:
    """The training of a challenger, in copies of the stores."""
    folder = tmp_path_factory.mktemp("second")
    shutil.copytree(os.environ["BENTOML_HOME"], folder / "bentoml")
    shutil.copy(STATE / "mlflow.db", folder)
    few = ["--rows", str(FEW_ROWS), "--epochs", "1", "--seed", "1"]
    done = run("-m", "ekiben.training", "train", *few, **stores_in(folder))
    return SecondTraining(done.stdout, stores_in(folder))


@pytest.fixture
def copied_store(model: PackedModel, tmp_path: Path) -> Path:
    """A BentoML home of this test's own, with the trained model in it."""
    home = tmp_path / "bentoml"
    shutil.copytree(os.environ["BENTOML_HOME"], home)
    return home


@pytest.fixture(scope="session")
def two_versions(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores with the trained model as version 1, which answers, and a weaker version 2; to be copied."""
    folder = tmp_path_factory.mktemp("versions")
    shutil.copytree(os.environ["BENTOML_HOME"], folder / "bentoml")
    with sqlite3.connect(STATE / "mlflow.db") as source, sqlite3.connect(folder / "mlflow.db") as copy:
        source.backup(copy)
    stores = stores_in(folder)
    run("-m", "ekiben.training", "train", "--rows", str(ROWS), "--epochs", "1", "--seed", "1", **stores)
    run("-m", "ekiben.training", "promote", "2", **stores)
    run("-m", "ekiben.training", "rollback", **stores)
    return folder


@pytest.fixture
def versions(two_versions: Path, tmp_path: Path) -> Path:
    """A BentoML home of this test's own with two versions of the model; the first answers."""
    return Path(shutil.copytree(two_versions / "bentoml", tmp_path / "bentoml"))


@pytest.fixture
def use_stores() -> Iterator[Callable[[Path], None]]:
    """Let commands that run within this process use the stores in a folder, for the rest of the test."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(using_stores(folder))


@contextmanager
def using_stores(folder: Path) -> Iterator[None]:
    """Let what runs within this process use the stores in a folder."""
    import mlflow  # 4 s, which the quick tests don't need
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models.model import ModelStore

    before = mlflow.get_tracking_uri()
    (folder / "bentoml" / "models").mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        for name, value in stores_in(folder).items():
            patched.setenv(name, value)
        BentoMLContainer.model_store.set(ModelStore(folder / "bentoml" / "models"))
        try:
            yield
        finally:
            BentoMLContainer.model_store.reset()
            mlflow.set_tracking_uri(before)


def stores_in(folder: Path) -> dict[str, str]:
    """Return the variables that place both stores in a folder."""
    return {"BENTOML_HOME": f"{folder}/bentoml", "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}


@dataclass(frozen=True)
class Server:
    """A running service."""

    url: str
    grpc: str  # its address
    process: "subprocess.Popen[str]"
    log: Path

    def metric(self, line: str) -> float:
        """Return the value of one line of /metrics, 0 if it is not there."""
        lines = HTTP.get(f"{self.url}/metrics").text.splitlines()
        return next((float(text.rpartition(" ")[2]) for text in lines if text.startswith(line)), 0.0)


@pytest.fixture(scope="session")
def server(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service, shared by all tests that don't change it."""
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session", params=["native", "grpcio"])
def grpc_service(
    request: pytest.FixtureRequest, model: PackedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The service, once with either gRPC server, shared by all tests of gRPC that don't change it."""
    with serve(tmp_path_factory.mktemp(request.param), GRPC_SERVER=request.param) as running:
        yield running


SUPERVISED, ALONE = ("bentoml", "serve"), ("ekiben.service",)  # ways to serve: with a supervisor, in one process


@contextmanager
def serve(folder: Path, way: Sequence[str] = SUPERVISED, **environment: str) -> Iterator[Server]:
    """Start the service on a free port and wait until it is ready; it ends without the drain's 3 s."""
    port, grpc_port = free_port(), free_port()
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *way, "--port", str(port)],
            cwd=ROOT, env=os.environ | {"GRPC_PORT": str(grpc_port), "DRAIN_DELAY_S": "0"} | environment,
            stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    scheme = "https" if "TLS_CERT_FILE" in environment else "http"
    server = Server(f"{scheme}://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}", process, log)
    try:
        wait_until(lambda: is_ready(server), lambda: log.read_text())
        yield server
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def is_ready(server: Server) -> bool:
    if server.process.poll() is not None:
        raise AssertionError(f"the server stopped: {server.log.read_text()}")
    try:
        return httpx.get(f"{server.url}/readyz", verify=False).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(
    condition: Callable[[], bool], explain: Callable[[], str] = lambda: "", *, within_s: float = PATIENCE_S
) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {explain()}")
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nothing listens on and that nobody else takes before it is used.

    The kernel deals its own (`ip_local_port_range`) to every connection that is made: one that it gave and that was
    closed again may be some client's a moment later. So they come from below those, no two of them to one process.
    """
    while True:
        port = next(PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port


def run(*arguments: str, fails: bool = False, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in the project's root; check that it succeeds, or that it fails."""
    variables = os.environ | environment
    if is_warm(arguments, environment):
        done = run_warm(arguments, ROOT, variables, RUN_TIMEOUT_S)
    else:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env=variables, capture_output=True, text=True, timeout=RUN_TIMEOUT_S,
        )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done
