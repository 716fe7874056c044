"""The packages of registered versions: in their runs, and in the BentoML store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import requests
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ekiben.contract.errors import InvalidModel, UserError
from ekiben.model.home import StoreUnusable, find_home
from ekiben.model.package import CHAMPION, PACKAGE, SCHEMA_FILE, PackedModel
from ekiben.model.store import ALIAS_LABEL, find_model, open_stored
from ekiben.training.refusals import explain
from ekiben.training.registry.reasons import says_gone
from ekiben.training.registry.storing import store_package


class PackageGone(UserError):
    """A registered version has lost the package that was logged with its run."""


@contextmanager
def open_package(registered: ModelVersion) -> Iterator[Path]:
    """Fetch the packed folder of a registered version from its run, or else from the BentoML store.

    Raises PackageGone if neither has it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        package = _download(registered, scratch)
        if package is None:
            stored = find_stored(registered)
            if stored is None:
                raise PackageGone(
                    f"the package of version {registered.version} of {registered.name} is gone from its run in MLflow: "
                    "`ekiben promote` another version, or `ekiben train` a new one"
                )
            package = stored.path
        yield package


def find_stored(registered: ModelVersion) -> PackedModel | None:
    """Return the store's newest model if it is that version and no file of it was altered."""
    try:
        newest = find_model(registered.name)
        packed = open_stored(newest)
    except InvalidModel:
        return None
    return packed if newest.info.labels.get("run_id") == registered.run_id else None


def _download(registered: ModelVersion, folder: str) -> Path | None:
    """Return the package that was logged with a run, or None if it is not there any more."""
    uri = f"runs:/{registered.run_id}/{PACKAGE}"
    try:
        package = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
    except (MlflowException, requests.HTTPError, OSError) as error:
        if not says_gone(error):
            raise
        return None
    return package if (package / SCHEMA_FILE).is_file() else None


def store_version(package: Path, registered: ModelVersion, alias: str) -> PackedModel:
    """Put a package into the BentoML store; raise StoreUnusable, with what to do then, if that is impossible."""
    version = str(registered.version)
    remedy = f"`ekiben promote {version}`" if alias == CHAMPION else "train again to compare it with the champion"
    lineage = {**registered.tags, "version": version, ALIAS_LABEL: alias}
    try:
        stored = store_package(package, version, lineage)
    except OSError as error:
        raise StoreUnusable(
            f"version {version} is registered, but can't be packed into the BentoML store {find_home()} "
            f"({explain(error)}): make room or set BENTOML_HOME to another folder, then {remedy}"
        ) from None
    print(f"packed as {stored.tag}")
    return open_stored(stored)
