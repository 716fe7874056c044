"""The Airflow DAG: run for real by a real Airflow where it is asked for, since that takes minutes."""

import ast
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben.pipeline.steps import STEPS
from tests.conftest import PATIENCE_S, ROOT, free_port, wait_until
from tests.deploy.parcels import variables_of, write_parcels

DAG = ROOT / "deploy" / "airflow" / "ekiben_dag.py"
ENVIRONMENT = ROOT / ".venv-peers" / "airflow"
EVENT = {"model": "parcels", "version": "1", "reason": "drift", "evidence": {"weight": 0.4}}
START_S, RUN_S = 900, 1800
asked = pytest.mark.skipif(
    os.environ.get("EKIBEN_AIRFLOW") != "1",
    reason="it installs Airflow and takes minutes: EKIBEN_AIRFLOW=1 python -m pytest tests/deploy/test_airflow.py",
)


def test_its_steps_are_the_pipelines() -> None:
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse(DAG.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["STEPS"]) == STEPS


def test_nothing_heavy_is_imported_as_airflow_parses_it() -> None:
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(ast.parse(DAG.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    foreign = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"airflow.sdk", "airflow.providers.standard.operators.bash"}


def install() -> Path:
    """Return the folder of Airflow's programs, in an environment of its own that is made if it is missing."""
    if not (ENVIRONMENT / "bin" / "airflow").exists():
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", DAG.with_name("airflow.in")], check=True)
    return ENVIRONMENT / "bin"


@contextmanager
def standalone(folder: Path) -> Iterator[httpx.Client]:
    """Run `airflow standalone` with that DAG in a process group of its own; give what asks its API."""
    port, programs, home = free_port(), install(), variables_of(folder)
    settings = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAG.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",  # of a busy machine
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "PATH": f"{programs}:{home.pop('PATH')}",
    }
    with (folder / "airflow.log").open("w") as log:
        process = subprocess.Popen(
            [programs / "airflow", "standalone"],
            cwd=folder, env=os.environ | home | settings, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        try:
            wait_until(lambda: is_parsed(client), (folder / "airflow.log").read_text, within_s=START_S)
            yield client
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def is_parsed(client: httpx.Client) -> bool:
    """Whether the API answers and knows the DAG and the asset; it lets everybody in who asks for a token."""
    try:
        if "authorization" not in client.headers:
            client.headers["authorization"] = f"Bearer {client.get('/auth/token').json()['access_token']}"
        return bool(find_asset(client)) and client.get("/api/v2/dags/ekiben").status_code == 200
    except (httpx.TransportError, KeyError, ValueError):
        return False


def find_asset(client: httpx.Client) -> int | None:
    listed = client.get("/api/v2/assets").json()["assets"]
    return next((asset["id"] for asset in listed if asset["name"] == "ekiben-retrain"), None)


def list_runs(client: httpx.Client) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = client.get("/api/v2/dags/ekiben/dagRuns").json()["dag_runs"]
    return sorted(runs, key=lambda run: run["run_after"])


def run_on_event(client: httpx.Client, log: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Post an event; return the run that it starts, at its end, and the states of its tasks."""
    before = len(list_runs(client))
    posted = client.post("/api/v2/assets/events", json={"asset_id": find_asset(client), "extra": EVENT})
    assert posted.status_code == 200, posted.text
    wait_until(lambda: len(list_runs(client)) > before, log.read_text, within_s=600)
    wait_until(lambda: list_runs(client)[-1]["state"] in ("success", "failed"), log.read_text, within_s=RUN_S)
    run = list_runs(client)[-1]
    tasks = client.get(f"/api/v2/dags/ekiben/dagRuns/{run['dag_run_id']}/taskInstances").json()["task_instances"]
    return run, {task["task_id"]: task["state"] for task in tasks}


@asked
@pytest.mark.slow
def test_an_asset_event_starts_a_run_that_succeeds_and_a_bad_table_stops_one_at_its_gate(tmp_path: Path) -> None:
    write_parcels(tmp_path)
    began = time.monotonic()
    with standalone(tmp_path) as client:
        print(f"standalone is healthy after {time.monotonic() - began:.0f} s")
        run, states = run_on_event(client, tmp_path / "airflow.log")
        print(json.dumps({"run": run["dag_run_id"], "triggered_by": run["triggered_by"], "state": run["state"]}))
        print(json.dumps(states))
        assert (run["triggered_by"], run["state"]) == ("asset", "success")
        assert states == dict.fromkeys(STEPS, "success")
        records = [json.loads(path.read_text()) for path in (tmp_path / "data/pipeline/records").glob("*.json")]
        assert [record["event"] for record in records if record["step"] == "ingest"] == [EVENT]

        write_parcels(tmp_path, columns=3)
        run, states = run_on_event(client, tmp_path / "airflow.log")
        print(json.dumps({"run": run["dag_run_id"], "state": run["state"]}), json.dumps(states))
        assert run["state"] == "success"
        assert states == dict.fromkeys(STEPS, "skipped") | {"ingest": "success"}
