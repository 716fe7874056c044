"""Decides which registered version is the champion, and packs it into the BentoML store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidModel, UserError
from ekiben.contract.schema import Schema, Target, load_schema
from ekiben.model.engine import load_engine
from ekiben.model.package import LITERT_FILE, SAVED_MODEL_FOLDER, SCHEMA_FILE, engine_kind
from ekiben.model.store import find_model, open_stored
from ekiben.training.dataset.schema_learning import KINDS
from ekiben.training.evaluate import promotion_metric, score
from ekiben.training.registry import tracking
from ekiben.training.registry.packaging import store_package


class NoSuchVersion(UserError):
    """The registry has no version that could be promoted."""


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
    best = score_version(schema.target, champion, test, labels)
    if best is None:
        print(f"the champion, version {champion.version}, can't read this table: version {version} takes its place")
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
    versions = [str(found.version) for found in tracking.find_versions(name)]
    if version not in versions:
        known = f"it has {', '.join(versions)}" if versions else "train it first with `ekiben train`"
        raise NoSuchVersion(f"the registry has no version {version} of {name}: {known}")
    install(name, version)
    print(f"version {version} is the champion of {name}: the service started next serves it")


def roll_back(name: str) -> None:
    """Make the champion before the present one the champion again; raise NoSuchVersion if there was none."""
    champion = tracking.find_champion(name)
    earlier = tracking.read_history(name) if champion else []
    while champion and earlier and earlier[-1] == str(champion.version):
        earlier.pop()
    if not champion or not earlier:
        raise NoSuchVersion(f"no version of {name} was the champion before: `promote VERSION` chooses any other")
    tracking.write_history(name, earlier)
    promote(name, earlier[-1])


def install(name: str, version: str) -> str:
    """Put a registered version into the BentoML store, if it is not there, and make it the champion."""
    registered = tracking.get_version(name, version)
    if not _is_stored(registered):
        with open_package(registered) as package:
            lineage = {**registered.tags, "version": version, "alias": tracking.CHAMPION}
            stored = store_package(package, version, lineage)
            print(f"packed as {stored.tag}")
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
    """Fetch the packed folder of a registered version from its run."""
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"runs:/{registered.run_id}/{tracking.PACKAGE}"
        yield Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch))


def _is_stored(registered: ModelVersion) -> bool:
    """Return whether the store's newest model is that version, and no file of it was altered."""
    try:
        newest = find_model(registered.name)
        open_stored(newest)
    except InvalidModel:
        return False
    return bool(newest.info.labels.get("run_id") == registered.run_id)
