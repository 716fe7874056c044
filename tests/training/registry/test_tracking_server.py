"""Training against an MLflow tracking server that keeps its data in PostgreSQL, both run for real.

What it registered there the service fetches, without MLflow's client.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent

from ekiben.model.package import PackedModel, open_model
from ekiben.model.store import DIGEST_LABEL
from ekiben.service.settings import Settings
from ekiben.service.sources.hints import Hints
from ekiben.service.sources.watch import watch_registry
from tests.conftest import NAME, free_port, run, wait_until
from tests.http_client import HTTP
from tests.postgres import NEEDS_POSTGRES, running_postgres, stopped_at_the_end
from tests.service.sources.mounted_webhook import SECRET, MountedWebhook

pytestmark = NEEDS_POSTGRES
WEBHOOKS = {  # of the server: it may call this machine, and looks for new webhooks each time
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "0",
}


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
    command = [
        "env",
        *(f"{name}={value}" for name, value in WEBHOOKS.items()),
        sys.executable,
        "-m",
        "mlflow",
        "server",
    ]
    with stopped_at_the_end(*command, "--port", str(port), *options):
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return HTTP.get(f"{address}/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, within_s=90)
        yield address


@pytest.fixture(scope="module")
def trained(tracking_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a training printed whose champion this server has."""
    login = tracking_server.replace("//", "//user:hunter2@")  # which this server does not ask for
    stores = {"MLFLOW_TRACKING_URI": login, "BENTOML_HOME": str(tmp_path_factory.mktemp("stores"))}
    done = run("-m", "ekiben.training", "train", "--rows", "5000", "--epochs", "1", **stores)
    return done.stdout + done.stderr


def test_a_tracking_server_on_postgresql_gets_run_and_champion(tracking_server: str, trained: str) -> None:
    assert f"packed as {NAME}:1" in trained
    assert "hunter2" not in trained
    client = mlflow.MlflowClient(tracking_server)
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert champion.version == "1"
    assert client.get_run(champion.run_id).data.metrics["test_auc"] > 0.5
    assert "evaluation" in {artifact.path for artifact in client.list_artifacts(champion.run_id)}


def test_the_service_fetches_the_champion_and_what_takes_its_place(
    tracking_server: str, trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    client = mlflow.MlflowClient(tracking_server)
    fetched: list[PackedModel] = []

    async def take(folder: Path, digest: str) -> None:
        fetched.append(open_model(folder, digest))

    async def scenario() -> None:
        hints = Hints(tmp_path)
        settings = Settings(model_source=f"models:/{NAME}@canary")
        watching = asyncio.ensure_future(watch_registry(settings, take, hints=hints))
        await asyncio.sleep(0)
        await asyncio.to_thread(client.set_registered_model_alias, NAME, "canary", "1")
        async with asyncio.timeout(60):
            while not fetched:
                hints.give()
                await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(scenario())
    (model,) = fetched
    model.start_engine()
    registered = client.get_model_version(NAME, "1")
    assert (model.version, model.manifest.run_id) == ("1", registered.run_id)
    assert registered.tags[DIGEST_LABEL] == model.digest


def test_a_version_registered_before_is_published_by_promoting(
    tracking_server: str, trained: str, tmp_path: Path
) -> None:
    client = mlflow.MlflowClient(tracking_server)
    digest = client.get_model_version(NAME, "1").tags[DIGEST_LABEL]
    client.delete_model_version_tag(NAME, "1", DIGEST_LABEL)
    run("-m", "ekiben.training", "promote", "1", MLFLOW_TRACKING_URI=tracking_server, BENTOML_HOME=str(tmp_path))
    assert client.get_model_version(NAME, "1").tags[DIGEST_LABEL] == digest


def test_its_webhook_is_understood(tracking_server: str, trained: str, tmp_path: Path) -> None:
    receiver = MountedWebhook(tmp_path, model_source=f"models:/{NAME}@champion")
    with receiver.running() as url:
        client = mlflow.MlflowClient(tracking_server)
        event = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
        client.create_webhook("promoted", url, [event], secret=SECRET)
        client.set_registered_model_alias(NAME, "champion", "1")
        wait_until(lambda: bool(receiver.answers))
    assert receiver.answers == [(200, {"looking": True})]


def test_a_missing_database_is_rejected_without_its_password(database: str, tmp_path: Path) -> None:
    stores = {"MLFLOW_TRACKING_URI": f"{database}-missing", "BENTOML_HOME": str(tmp_path)}
    rejected = run("-m", "ekiben.training", "train", fails=True, **stores)
    assert rejected.returncode == 2
    assert "secret" not in rejected.stdout + rejected.stderr
    assert "Traceback" not in rejected.stderr
