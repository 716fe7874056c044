"""MLflow: where runs and models are kept, and which version is the champion."""

import contextlib
import io
import os
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ekiben.model.package import CHAMPION
from ekiben.training.home import DATA, find_data, find_home, make_folder
from ekiben.training.redaction import redact
from ekiben.training.registry.creation import SQLITE, alone, find_file, make_tables
from ekiben.training.registry.patience import impatient
from ekiben.training.registry.store import (
    CONNECT_ERRORS,
    DATABASE,
    StoreUnreachable,
    as_user_error,
    check_store,
    choose_store,
    embedded_uri,
    read_uri,
)

HISTORY_TAG = "champions"  # of a registered model: the versions that were, the latest last
PROMOTED_TAG = "promoted"  # of a version: when it was last made the champion; a rollback leaves it
NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # the latter for an alias
HOST_TAG, PID_TAG = "host", "pid"  # of a run: the process it belongs to


def connect() -> bool:
    """Choose the store; return whether it is there yet."""
    uri = choose_store()
    file = find_file(uri)
    if file is not None and not file.exists():
        return False
    with as_user_error():
        make_tables(uri)
    return True


@contextlib.contextmanager
def existing_store(changing: bool = True) -> Iterator[None]:
    """Choose the store that training filled; raise StoreUnreachable if it can't be used or is not there yet."""
    file = find_file(read_uri())
    if file is not None and read_uri() == embedded_uri():
        make_folder(DATA)
    if file is not None and not file.exists():
        raise StoreUnreachable("there is no MLflow store yet: train first with `ekiben train`")
    check_store(changing)
    connect()
    with as_user_error(), impatient():
        yield


@contextlib.contextmanager
def deciding() -> Iterator[None]:
    """Wait until no other process of this machine decides which version is the champion of a store in a file."""
    with alone(mlflow.get_tracking_uri()):
        yield


def open_store(experiment: str) -> None:
    """Choose the store and the experiment in it, and make what is not there."""
    check_store()
    uri = choose_store()
    with as_user_error(*CONNECT_ERRORS):
        make_tables(uri)
        with alone(uri):
            _link_database(uri)
            _make_experiment(experiment, uri)
        mlflow.set_experiment(experiment)


def _link_database(uri: str) -> None:
    link = find_home() / DATABASE  # where a bare `mlflow ui` looks
    if uri == embedded_uri() and not link.exists():
        with contextlib.suppress(OSError):  # where only the data folder can be written to, there is none
            link.unlink(missing_ok=True)  # a link to a data folder that is gone
            link.symlink_to(Path(find_data().name) / DATABASE)


def _make_experiment(experiment: str, uri: str) -> None:
    if mlflow.get_experiment_by_name(experiment) is not None:
        return
    try:
        mlflow.create_experiment(experiment, artifact_location=_artifact_location(uri))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another training made it at the same moment
            raise


def close_abandoned_runs(experiment: str) -> None:
    """Mark the runs as killed whose process on this machine is gone: nothing could end them when it died."""
    found = MlflowClient().get_experiment_by_name(experiment)
    running = f"attributes.status = 'RUNNING' and tags.{HOST_TAG} = '{socket.gethostname()}'"
    runs = MlflowClient().search_runs([found.experiment_id], running) if found else []
    for run in runs:
        if not _is_alive(int(run.data.tags[PID_TAG])):
            MlflowClient().set_terminated(run.info.run_id, "KILLED")


def tag_process() -> None:
    """Note in the active run which process it belongs to."""
    mlflow.set_tags({HOST_TAG: socket.gethostname(), PID_TAG: str(os.getpid())})


def find_champion(name: str) -> ModelVersion | None:
    """Return the registered version with the alias `champion`, if there is one."""
    try:
        return MlflowClient().get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        # No such model or alias. Any other error, such as a lost store, must not promote the next version.
        if error.error_code in NOT_THERE:
            return None
        reason = redact(str(error))
        raise StoreUnreachable(f"the MLflow store doesn't say which version is the champion: {reason}") from None


def get_version(name: str, version: str) -> ModelVersion:
    """Return a registered version."""
    return MlflowClient().get_model_version(name, version)


def find_versions(name: str) -> list[ModelVersion]:
    """Return the registered versions, the oldest first; none if there is no such model."""
    return sorted(MlflowClient().search_model_versions(f"name = '{name}'"), key=lambda found: int(found.version))


def find_version_of(name: str, run_id: str) -> str | None:
    """Return the version that a run registered, if it came that far."""
    return next((str(found.version) for found in find_versions(name) if found.run_id == run_id), None)


def find_aliases(name: str) -> dict[str, str]:
    """Return which version each alias of a registered model points at."""
    try:
        aliases = MlflowClient().get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code in NOT_THERE:  # nothing was ever registered under that name
            return {}
        raise StoreUnreachable(f"the MLflow store doesn't say which aliases {name} has: {redact(str(error))}") from None
    return {alias: str(version) for alias, version in aliases.items()}


def register(name: str, model_uri: str, tags: dict[str, str]) -> str:
    """Register a logged model and return its version."""
    with contextlib.redirect_stderr(io.StringIO()):  # what MLflow says of it, we say
        return str(mlflow.register_model(model_uri, name, tags=tags).version)


def set_alias(name: str, alias: str, version: str) -> None:
    """Point an alias of a registered model at a version."""
    MlflowClient().set_registered_model_alias(name, alias, version)


def set_champion(name: str, version: str) -> None:
    """Make a registered version the champion and remember that it was."""
    history = read_history(name)
    if history[-1:] != [version]:
        write_history(name, [*history, version])
    MlflowClient().set_model_version_tag(name, version, PROMOTED_TAG, f"{datetime.now(UTC):%FT%TZ}")  # before it is
    set_alias(name, CHAMPION, version)


def read_history(name: str) -> list[str]:
    """Return the versions that were champions, the latest last."""
    tags = MlflowClient().get_registered_model(name).tags
    return [version for version in tags.get(HISTORY_TAG, "").split(",") if version]


def write_history(name: str, versions: Sequence[str]) -> None:
    """Note which versions were champions, the latest last."""
    MlflowClient().set_registered_model_tag(name, HISTORY_TAG, ",".join(versions))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _artifact_location(uri: str) -> str | None:
    """Return the folder for artifacts of a store that is a database; a tracking server has its own."""
    if uri.startswith(("http://", "https://", "databricks")):
        return None
    if uri.startswith(SQLITE):
        return (Path(uri.removeprefix(SQLITE)).resolve().parent / "artifacts").as_uri()
    return (find_data() / "artifacts").as_uri()
