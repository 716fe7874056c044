"""The first command a stranger types, run for real: an empty store, all rows, a correct answer."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest

from tests.conftest import NAME, PATIENCE_S, ROOT, free_port, stores_in, wait_until

TRAIN_TIMEOUT_S = 240
AUC_FLOOR, LOG_LOSS_CEILING = 0.700, 0.520  # seed 0 on all rows; the same weights on every machine of a kind


@contextmanager
def make_serve(folder: Path, log: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run `make serve` with stores in that folder, in a process group of its own."""
    environment = os.environ | stores_in(folder) | {"PORT": str(free_port()), "DRAIN_DELAY_S": "0"}
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "serve"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=PATIENCE_S)


def curl_from(log: Path) -> str:
    """Return the command that was printed to be pasted, "" before it is."""
    found = re.search(r"^  (curl .*)$", log.read_text(), flags=re.MULTILINE)
    return found.group(1) if found else ""


@pytest.mark.slow
def test_make_serve_trains_serves_and_the_printed_curl_answers(tmp_path: Path) -> None:
    log = tmp_path / "first.log"
    with make_serve(tmp_path, log) as process:
        wait_until(lambda: bool(curl_from(log)) or process.poll() is not None, log.read_text, within_s=TRAIN_TIMEOUT_S)
        answer = subprocess.run(["bash", "-c", curl_from(log)], capture_output=True, text=True, check=True).stdout
        assert re.match(r'\{"predictions":\[\{"probability":0\.\d+,"label":(true|false)\}\]', answer)
    printed = log.read_text()
    assert all(bar in printed for bar in ("reading: 100%", "training: 100%", "packing: 100%"))
    assert "Traceback" not in printed

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    run = client.get_run(client.get_model_version_by_alias(NAME, "champion").run_id)
    assert run.data.metrics["test_auc"] >= AUC_FLOOR
    assert run.data.metrics["test_log_loss"] <= LOG_LOSS_CEILING
    assert run.data.metrics["test_calibration_error"] <= 0.03

    again = tmp_path / "second.log"
    began = time.monotonic()
    with make_serve(tmp_path, again) as process:
        wait_until(
            lambda: bool(curl_from(again)) or process.poll() is not None, again.read_text, within_s=TRAIN_TIMEOUT_S
        )
    assert "training" not in again.read_text()
    assert time.monotonic() - began < TRAIN_TIMEOUT_S / 4  # far less than training takes; bench has the number


def test_make_alone_prints_help() -> None:
    printed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {verb}" in printed for verb in ("serve", "train", "test", "lint", "format", "typecheck", "clean"))
