"""Locust's own command line with our users, against a real service; Locust is never imported here: it patches."""

import importlib.util
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import ROOT, Server, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("locust") is None, reason="needs Locust: pip install '.[load]'"),
]
DIALECTS = {"/predict", "OIP HTTP JSON", "OIP HTTP binary", "TFS REST", "OIP gRPC raw"}


def locust(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", "load_tests/locustfile.py", "--headless", "-r", "50", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_every_dialect_is_asked_and_answers_rightly(server: Server) -> None:
    done = locust("--host", server.url, "--grpc", server.grpc, "-u", "8", "-t", "2", "--slo-p99-ms", "60000", "--json")
    assert done.returncode == 0, done.stderr
    statistics = json.loads(done.stdout[done.stdout.index("[\n") :])
    assert {entry["name"] for entry in statistics} == DIALECTS
    assert all(entry["num_requests"] > 0 and entry["num_failures"] == 0 for entry in statistics)
    times = [time for entry in statistics for time in entry["response_times"]]
    assert any(float(time) % 1 for time in times), "response times are rounded"


def test_processes_share_the_load(server: Server) -> None:
    done = locust(
        "--host", server.url, "-u", "4", "-t", "3", "--processes", "2", "--slo-p99-ms", "60000", "PredictUser"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"POST +/predict +\d+ +0\(0\.00%\)", done.stdout + done.stderr)


def test_workers_of_other_machines_join_a_master(server: Server) -> None:
    """Both are on this one here: what a worker knows it gets from its own command line and the master's port."""
    port = str(free_port())
    options = ["--host", server.url, "--slo-p99-ms", "60000", "PredictUser"]
    with ThreadPoolExecutor(2) as pool:
        master = pool.submit(
            locust, "--master", "--master-bind-port", port, "--expect-workers", "1", "-u", "4", "-t", "3", *options
        )
        worker = pool.submit(locust, "--worker", "--master-host", "127.0.0.1", "--master-port", port, *options)
        done, helped = master.result(), worker.result()
    assert done.returncode == 0, done.stderr
    assert helped.returncode == 0, helped.stderr
    assert re.search(r"POST +/predict +[1-9]\d* +0\(0\.00%\)", done.stdout + done.stderr)


def test_a_missed_p99_is_exit_code_1(server: Server) -> None:
    done = locust("--host", server.url, "-u", "2", "-t", "1", "--slo-p99-ms", "0.001", "PredictUser")
    assert done.returncode == 1
    assert re.search(r"missed: p99 is [\d.]+ ms, 0.001 ms are allowed", done.stdout)


def test_failures_over_the_budget_are_exit_code_1_and_within_it_0(server: Server) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    arguments = ("--host", server.url, "--grpc", nobody, "-u", "2", "-t", "1", "GrpcUser")
    done = locust(*arguments)
    assert done.returncode == 1
    assert "requests failed, 0.000% may" in done.stdout
    assert locust("--host", server.url, "-u", "1", "-t", "1", "--error-budget", "0.01", "PredictUser").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--host", "http://127.0.0.1:1"), "error: nothing answers at http://127.0.0.1:1"),
        ((), "error: --host is missing"),
        (("--error-budget", "2"), "error: --error-budget 2.0: expected a share from 0 to 1"),
        (("--slo-p99-ms", "-1"), "error: --slo-p99-ms -1.0: expected milliseconds above 0"),
    ],
    ids=["nobody", "no host", "budget", "slo"],
)
def test_a_wrong_command_line_is_exit_code_2(arguments: tuple[str, ...], sentence: str) -> None:
    done = locust("-t", "1", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
