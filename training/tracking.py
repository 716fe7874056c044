"""MLflow: where runs and models are kept, and which version is the champion."""

import contextlib
import io
import logging
import os
import re
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import sqlalchemy
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from contract.errors import UserError

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
DATABASE = DATA / "mlflow.db"
ARTIFACTS = DATA / "artifacts"
LINK = ROOT / "mlflow.db"  # where a bare `mlflow ui` in the project's root looks
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
CONNECT_TIMEOUT_S = 5
CHAMPION, CHALLENGER = "champion", "challenger"
PACKAGE = "package"  # the run's artifact folder that holds what is packed


class StoreUnreachable(UserError):
    """The tracking server or database does not answer."""


def open_store(experiment: str) -> None:
    """Choose MLFLOW_TRACKING_URI, or the database in the data folder, and the experiment in it."""
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _embedded_store()
    shown = re.sub(r"//[^/]*@", "//…@", uri)  # what stands before an @ may be a password
    mlflow.set_tracking_uri(uri)
    try:
        _check_reachable(uri)
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifact_location=_artifact_location(uri))
        mlflow.set_experiment(experiment)
    except (MlflowException, SQLAlchemyError, OSError, ImportError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(uri, shown)
        raise StoreUnreachable(f"the MLflow store {shown} can't be used: {reason}") from None


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
    with contextlib.redirect_stderr(io.StringIO()):  # what MLflow says of it, we say
        return str(mlflow.register_model(model_uri, name, tags=tags).version)


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


def _check_reachable(uri: str) -> None:
    """Raise OSError or SQLAlchemyError if the store does not let us in: MLflow would try again for minutes."""
    address = urlsplit(uri)
    port = address.port or DEFAULT_PORTS.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        socket.create_connection((address.hostname, port), CONNECT_TIMEOUT_S).close()
        if not address.scheme.startswith("http"):
            sqlalchemy.create_engine(uri).connect().close()


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
