"""Decides which registered version is the champion, and packs it into the BentoML store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidModel, UserError
from ekiben.contract.schema import Schema, Target, load_schema
from ekiben.model.engine import load_engine
from ekiben.model.home import StoreUnusable, find_home
from ekiben.model.package import LITERT_FILE, PACKAGE, SAVED_MODEL_FOLDER, SCHEMA_FILE, PackedModel, engine_kind
from ekiben.model.store import find_model, open_stored
from ekiben.training.dataset.schema_learning import KINDS
from ekiben.training.evaluate import promotion_metric, score
from ekiben.training.refusals import explain
from ekiben.training.registry import tracking
from ekiben.training.registry.packaging import store_package
from ekiben.training.registry.publishing import publish_again
from ekiben.training.registry.reasons import says_gone


class NoSuchVersion(UserError):
    """The registry has no version that could be promoted."""


class PackageGone(UserError):
    """A registered version has lost the package that was logged with its run."""


def promote_if_better(
    schema: Schema, test: pd.DataFrame, labels: np.ndarray, version: str, scores: dict[str, float]
) -> str:
    """Make the version the champion if there is none or it does better on the same test rows.

    `schema` is the version's, `labels` are those of the test rows, (rows,). Returns the champion's
    version, which is in the BentoML store afterwards.
    """
    champion = tracking.find_champion(schema.name)
    if champion is None:
        print(f"version {version} is the first of {schema.name}: it becomes the champion")
        return install(schema.name, version)
    metric = promotion_metric(schema.target)
    try:
        best, reason = score_version(schema.target, champion, test, labels), "can't read this table"
    except PackageGone:
        best, reason = None, "has lost its package"
    if best is None:
        print(f"the champion, version {champion.version}, {reason}: version {version} takes its place")
        return install(schema.name, version)
    comparison = (
        f"{metric} {scores[metric]:.5g} of version {version} against {best[metric]:.5g} of the champion, "
        f"version {champion.version}"
    )
    if scores[metric] < best[metric]:
        print(f"{comparison}: the new one becomes the champion")
        return install(schema.name, version)
    print(f"{comparison}: not better, the champion stays")
    tracking.set_alias(schema.name, tracking.CHALLENGER, version)
    return install(schema.name, str(champion.version))


def promote(name: str, version: str) -> None:
    """Make a registered version the champion; raise NoSuchVersion if there is none of that number."""
    with tracking.deciding():
        _promote(name, version)


def _promote(name: str, version: str) -> None:
    versions = [str(found.version) for found in tracking.find_versions(name)]
    if version not in versions:
        known = f"it has {', '.join(versions)}" if versions else "train it first with `ekiben train`"
        raise NoSuchVersion(f"the registry has no version {version} of {name}: {known}")
    install(name, version)
    print(f"version {version} is the champion of {name}: services of this store answer with it in seconds")


def roll_back(name: str) -> None:
    """Make the champion before the present one the champion again; raise NoSuchVersion if there was none."""
    with tracking.deciding():
        _roll_back(name)


def _roll_back(name: str) -> None:
    champion = tracking.find_champion(name)
    earlier = tracking.read_history(name) if champion else []
    while champion and earlier and earlier[-1] == str(champion.version):
        earlier.pop()
    if not champion or not earlier:
        raise NoSuchVersion(f"no version of {name} was the champion before: `promote VERSION` chooses any other")
    tracking.write_history(name, earlier)
    _promote(name, earlier[-1])


def install(name: str, version: str) -> str:
    """Put a registered version into the BentoML store, if it is not there, and make it the champion."""
    registered = tracking.get_version(name, version)
    stored = find_stored(registered)
    if stored is None:
        with open_package(registered) as package:
            stored = _store(package, registered)
    publish_again(registered, stored)
    tracking.set_champion(name, version)
    return version


def score_version(
    target: Target, registered: ModelVersion, test: pd.DataFrame, labels: np.ndarray
) -> dict[str, float] | None:
    """Return a registered version's scores on these test rows, or None if it is for another table or target."""
    with open_package(registered) as package:
        schema = load_schema(package / SCHEMA_FILE)
        if not fits(schema, target, test):
            return None
        engine = load_engine(engine_kind(package), package / LITERT_FILE, package / SAVED_MODEL_FOLDER)
        answers = engine.run(Encoder(schema).encode(test))
    return score(schema.target, labels, answers)


def fits(schema: Schema, target: Target, table: pd.DataFrame) -> bool:
    """Return whether a schema's features are in the table, of their kinds, and its target is this one."""
    its = schema.target
    same_target = (its.name, its.task, its.classes) == (target.name, target.task, target.classes)
    return same_target and all(f.name in table and KINDS[f.kind](table[f.name]) for f in schema.features)


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


def _store(package: Path, registered: ModelVersion) -> PackedModel:
    """Put a package into the BentoML store; raise StoreUnusable, with what to do then, if that is impossible."""
    version = str(registered.version)
    lineage = {**registered.tags, "version": version, "alias": tracking.CHAMPION}
    try:
        stored = store_package(package, version, lineage)
    except OSError as error:
        raise StoreUnusable(
            f"version {version} is registered, but can't be packed into the BentoML store {find_home()} "
            f"({explain(error)}): make room or set BENTOML_HOME to another folder, then `ekiben promote {version}`"
        ) from None
    print(f"packed as {stored.tag}")
    return open_stored(stored)
