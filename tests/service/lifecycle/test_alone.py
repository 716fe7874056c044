"""The service in one process, as the image starts it: what a supervisor and its worker do, it does itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ekiben.model.package import PackedModel
from tests.conftest import ALONE, PATIENCE_S, ROOT, SUPERVISED, Server, free_port, run, serve, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow
COUNTED = 'ekiben_inference_requests_total{code="200",protocol="predict"}'


@pytest.fixture(scope="module")
def alone(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("alone"), ALONE) as running:
        yield running


def predict(server: Server, model: PackedModel) -> int:
    return HTTP.post(f"{server.url}/predict", json={"rows": [model.schema.example]}).status_code


def test_it_is_one_process(alone: Server) -> None:
    process = psutil.Process(alone.process.pid)
    assert process.children() == []
    started = alone.metric("process_start_time_seconds")
    assert abs(started - process.create_time()) < 2
    assert alone.metric("process_resident_memory_bytes") < 1.5 * process.memory_info().rss  # of this one, not of two


def test_it_has_loaded_nothing_that_only_others_need(alone: Server) -> None:
    files = {mapped.path for mapped in psutil.Process(alone.process.pid).memory_maps()}
    assert [path for path in files if "/numpy/" in path]
    unneeded = ("aiohttp", "zmq", "multidict", "tornado", "_curses", "pandas", "pyarrow", "arro3", "tensorflow")
    assert [path for path in files if any(name in path for name in unneeded)] == []


def test_it_says_in_order_how_it_starts(alone: Server) -> None:
    log = alone.log.read_text()
    said = ("platform: ", "ports: HTTP ", "engine: litert; workers: 1", "SIGTERM: answers for", "model: flight_delay ")
    then = ("one process listens on http://", "routes: POST /predict", "flight_delay version 1 (litert) is ready")
    places = [log.index(sentence) for sentence in said + then]
    assert places == sorted(places)
    assert '-d \'{"rows":' in log  # the request to paste
    assert "worker" not in log.replace("workers: 1", "")


def test_it_counts(alone: Server, model: PackedModel) -> None:
    before = alone.metric(COUNTED)
    assert predict(alone, model) == 200
    wait_until(lambda: alone.metric(COUNTED) == before + 1)
    assert alone.metric("ekiben_worker_starts_total") == 1


def test_bentomls_own_routes_are_what_they_are_under_a_supervisor(alone: Server, server: Server) -> None:
    for path in (
        "/",
        "/livez",
        "/readyz",
        "/healthz",
        "/schema.json",
        "/docs.json",
        "/static_content/index.css",
        "/no",
    ):
        one, other = (HTTP.get(f"{running.url}{path}") for running in (alone, server))
        assert (one.status_code, one.headers.get("content-type")) == (
            other.status_code, other.headers.get("content-type")
        ), path  # fmt: skip
    schemas = [HTTP.get(f"{running.url}/schema.json").json() for running in (alone, server)]
    assert schemas[0] == schemas[1]


def test_a_hangup_looks_for_a_new_version(alone: Server) -> None:
    alone.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "version 1 is served already" in alone.log.read_text(), alone.log.read_text)
    assert HTTP.get(f"{alone.url}/readyz").status_code == 200


def test_killed_it_leaves_nothing_that_listens(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, ALONE) as server:
        server.process.kill()
        assert server.process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
        with pytest.raises(httpx.TransportError, match=r"refused"):
            HTTP.get(f"{server.url}/readyz")


@pytest.mark.parametrize(("delay_s", "signals"), [("0", 1), ("300", 2)])
def test_its_folder_goes_with_it(model: PackedModel, tmp_path: Path, delay_s: str, signals: int) -> None:
    folder = tmp_path / "metrics"
    with serve(tmp_path, ALONE, PROMETHEUS_MULTIPROC_DIR=str(folder), DRAIN_DELAY_S=delay_s) as server:
        assert list(folder.iterdir())
        for _ in range(signals):
            server.process.terminate()
            wait_until(lambda: "SIGTERM: answering" in server.log.read_text())
        assert server.process.wait(timeout=PATIENCE_S) == 0
    assert not list(folder.iterdir())


def test_it_plans_with_no_memory_for_a_supervisor(model: PackedModel, tmp_path: Path) -> None:
    program = 'ulimit -d 160000 && exec "$0" -m ekiben.service'
    variables = os.environ | {"PORT": str(free_port()), "GRPC_PORT": str(free_port()), "MAX_BODY_BYTES": "1048576"}
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(["sh", "-c", program, sys.executable], cwd=ROOT, env=variables, stdout=output)
    try:
        wait_until(lambda: "memory may not do" in log.read_text() or process.poll() is not None, log.read_text)
        assert "156 MiB of memory may not do: 1 × litert needs about 180" in log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_is_heeded(model: PackedModel, tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    variables = os.environ | {"PORT": str(free_port()), "GRPC_PORT": str(free_port()), "DRAIN_DELAY_S": "0"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *ALONE], cwd=ROOT, env=variables, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: handles(process.pid, signal.SIGTERM))
        process.send_signal(number)
        if number is signal.SIGHUP:
            wait_until(lambda: "is ready" in log.read_text(), log.read_text)
            process.terminate()
        assert process.wait(timeout=PATIENCE_S) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()


def handles(pid: int, number: int) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_several_workers_have_a_supervisor(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, ALONE, WORKERS="2") as server:
        assert len(psutil.Process(server.process.pid).children()) == 2
        wait_until(lambda: server.log.read_text().count("is ready") == 2)


def test_other_options_are_those_of_bentoml_serve(model: PackedModel, tmp_path: Path) -> None:
    rejected = run("-m", *ALONE, "serve", "--nothing", fails=True).stderr
    assert "No such option '--nothing'" in rejected
    with serve(tmp_path, (*ALONE, "--timeout", "60")) as server:
        assert len(psutil.Process(server.process.pid).children()) == 1


def test_what_was_given_as_an_option_is_named_in_the_error(model: PackedModel) -> None:
    rejected = run("-m", *ALONE, "--host", "localhost", PORT=str(free_port()), fails=True)
    assert rejected.stderr.startswith("error: --host localhost is not an IP address")
    assert rejected.returncode == 1
    port = str(free_port())
    rejected = run("-m", *ALONE, "--port", port, GRPC_PORT=port, fails=True)
    assert rejected.stderr.startswith(f"error: HTTP and gRPC can't both have port {port}")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"WORKERS": "none"}, "WORKERS='none'"),
        ({"MODEL_NAME": "nobody"}, "there is no model `nobody`"),
        ({"AUTH_TOKEN_FILE": "/nowhere"}, "/nowhere"),
    ],
)
def test_an_error_at_the_start_is_the_same_sentence_either_way(
    model: PackedModel, variables: dict[str, str], reason: str
) -> None:
    ports = {"PORT": str(free_port()), "GRPC_PORT": str(free_port())}
    for way in (ALONE, SUPERVISED):
        rejected = run("-m", *way, **ports, **variables, fails=True)
        assert rejected.returncode == 1
        assert len(rejected.stderr.strip().splitlines()) == 1, rejected.stderr
        assert reason in rejected.stderr
