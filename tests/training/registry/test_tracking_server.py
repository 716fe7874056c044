"""Training against an MLflow tracking server that keeps its data in PostgreSQL, both run for real."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import pytest

from tests.conftest import NAME, free_port, run, wait_until
from tests.http_client import HTTP
from tests.postgres import NEEDS_POSTGRES, running_postgres, stopped_at_the_end

pytestmark = NEEDS_POSTGRES


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URI of a PostgreSQL of this test's own, which takes a password."""
    with running_postgres("mlflow", "secret") as address:
        yield f"postgresql://mlflow:secret@{address}/postgres"


@pytest.fixture(scope="module")
def tracking_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow tracking server on that database."""
    port = free_port()
    artifacts = tmp_path_factory.mktemp("artifacts")
    options = ["--backend-store-uri", database, "--artifacts-destination", str(artifacts), "--workers", "1"]
    with stopped_at_the_end(sys.executable, "-m", "mlflow", "server", "--port", str(port), *options):
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return HTTP.get(f"{address}/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, 90)
        yield address


def test_a_tracking_server_on_postgresql_gets_run_and_champion(tracking_server: str, tmp_path: Path) -> None:
    login = tracking_server.replace("//", "//user:hunter2@")  # which this server does not ask for
    stores = {"MLFLOW_TRACKING_URI": login, "BENTOML_HOME": str(tmp_path)}
    done = run("-m", "ekiben.training", "train", "--rows", "5000", "--epochs", "1", **stores)
    printed = done.stdout
    assert f"packed as {NAME}:1" in printed
    assert "hunter2" not in printed + done.stderr
    client = mlflow.MlflowClient(tracking_server)
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert champion.version == "1"
    assert client.get_run(champion.run_id).data.metrics["test_auc"] > 0.5
    assert "evaluation" in {artifact.path for artifact in client.list_artifacts(champion.run_id)}


def test_a_missing_database_is_rejected_without_its_password(database: str, tmp_path: Path) -> None:
    stores = {"MLFLOW_TRACKING_URI": f"{database}-missing", "BENTOML_HOME": str(tmp_path)}
    rejected = run("-m", "ekiben.training", "train", fails=True, **stores)
    assert rejected.returncode == 2
    assert "secret" not in rejected.stdout + rejected.stderr
    assert "Traceback" not in rejected.stderr
