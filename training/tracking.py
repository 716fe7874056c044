"""MLflow: where runs and models are kept, and which version is the champion."""

import logging
import os
import subprocess
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from contract.errors import UserError

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
DATABASE = DATA / "mlflow.db"
ARTIFACTS = DATA / "artifacts"
LINK = ROOT / "mlflow.db"  # where a bare `mlflow ui` in the project's root looks
CHAMPION, CHALLENGER = "champion", "challenger"
PACKAGE = "package"  # the run's artifact folder that holds what is packed


class StoreUnreachable(UserError):
    """The tracking server or database does not answer."""


def open_store(experiment: str) -> None:
    """Choose MLFLOW_TRACKING_URI, or the database in the data folder, and the experiment in it."""
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _embedded_store()
    mlflow.set_tracking_uri(uri)
    try:
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifact_location=_artifact_location(uri))
        mlflow.set_experiment(experiment)
    except (MlflowException, OSError) as error:
        shown = uri.rpartition("@")[2]  # what stands before an @ may be a password
        raise StoreUnreachable(f"the MLflow store {shown} can't be used: {str(error).splitlines()[0]}") from error


def find_champion(name: str) -> ModelVersion | None:
    """Return the registered version with the alias `champion`, if there is one."""
    try:
        return MlflowClient().get_model_version_by_alias(name, CHAMPION)
    except MlflowException:
        return None


def get_version(name: str, version: str) -> ModelVersion:
    """Return a registered version."""
    return MlflowClient().get_model_version(name, version)


def register(name: str, model_uri: str, tags: dict[str, str]) -> str:
    """Register a logged model and return its version."""
    client = MlflowClient()
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run_id = tags["run_id"]
    return str(client.create_model_version(name, model_uri, run_id=run_id, tags=tags).version)


def set_alias(name: str, alias: str, version: str) -> None:
    """Point an alias of a registered model at a version."""
    MlflowClient().set_registered_model_alias(name, alias, version)


def git_commit() -> str:
    """Return the commit the project stands at, with + where files differ from it; "unknown" outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def _embedded_store() -> str:
    DATA.mkdir(exist_ok=True)
    if not LINK.exists():
        LINK.unlink(missing_ok=True)  # a link to a data folder that is gone
        LINK.symlink_to(DATABASE.relative_to(ROOT))
    return f"sqlite:///{DATABASE}"


def _artifact_location(uri: str) -> str | None:
    """Return the folder for artifacts of a store that is a database; a tracking server has its own."""
    if uri.startswith(("http://", "https://", "databricks")):
        return None
    if uri.startswith("sqlite:///"):
        return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "artifacts").as_uri()
    return ARTIFACTS.as_uri()
