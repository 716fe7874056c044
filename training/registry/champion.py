"""Decides which registered version is the champion, and packs it into the BentoML store."""

import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import UserError
from ekiben.contract.schema import Schema, Target, load_schema
from ekiben.model.engine import load_engine
from ekiben.model.package import (
    CHALLENGER,
    CHAMPION,
    LITERT_FILE,
    SAVED_MODEL_FOLDER,
    SCHEMA_FILE,
    engine_kind,
)
from ekiben.model.store import keep_newest
from ekiben.training.dataset.schema_learning import KINDS
from ekiben.training.registry import tracking
from ekiben.training.registry.publishing import publish_again
from ekiben.training.registry.version_packages import PackageGone, find_stored, open_package, store_version


class NoSuchVersion(UserError):
    """The registry has no version that could be promoted."""


def promote_if_better(
    schema: Schema,
    test: pd.DataFrame,
    labels: np.ndarray,
    version: str,
    scores: dict[str, float],
    weights: np.ndarray | None = None,
) -> str:
    """Make the version the champion if there is none or it does better on the same test rows.

    `schema` is the version's, `labels` and `weights` are those of the test rows, (rows,). Returns the champion's
    version, which is in the BentoML store afterwards.
    """
    champion = tracking.find_champion(schema.name)
    if champion is None:
        print(f"version {version} is the first of {schema.name}: it becomes the champion")
        return install(schema.name, version)
    from ekiben.training.evaluate import promotion_metric  # scikit-learn and Matplotlib: to promote needs neither

    metric = promotion_metric(schema.target)
    try:
        best, reason = score_version(schema.target, champion, test, labels, weights), "can't read this table"
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
    installed = install(schema.name, str(champion.version))
    pack_challenger(schema.name, version)
    return installed


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
            stored = store_version(package, registered, CHAMPION)
    publish_again(registered, stored)
    tracking.set_champion(name, version)
    return version


def pack_challenger(name: str, version: str) -> None:
    """Put a registered version into the BentoML store beside the champion, which stays the one that is served."""
    tracking.set_alias(name, CHALLENGER, version)
    registered = tracking.get_version(name, version)
    with open_package(registered) as package, keep_newest(name):
        store_version(package, registered, CHALLENGER)
    print("`CHALLENGER=challenger ekiben serve` compares it with the champion on what callers send")


def score_version(
    target: Target, registered: ModelVersion, test: pd.DataFrame, labels: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float] | None:
    """Return a registered version's scores on these test rows, or None if it is for another table or target."""
    from ekiben.training.evaluate import score

    answers = answer_with_version(target, registered, test)
    return None if answers is None else score(target, labels, answers, weights)


def answer_with_version(target: Target, registered: ModelVersion, test: pd.DataFrame) -> np.ndarray | None:
    """Return a registered version's answers to test rows, (rows, outputs), or None if it is for another table."""
    with open_package(registered) as package:
        schema = load_schema(package / SCHEMA_FILE)
        if not fits(schema, target, test):
            return None
        engine = load_engine(engine_kind(package), package / LITERT_FILE, package / SAVED_MODEL_FOLDER)
        return engine.run(Encoder(schema).encode(test))


def fits(schema: Schema, target: Target, table: pd.DataFrame) -> bool:
    """Return whether a schema's features are in the table, of their kinds, and its target is this one."""
    its = schema.target
    same_target = (its.name, its.task, its.classes) == (target.name, target.task, target.classes)
    return same_target and all(f.name in table and KINDS[f.kind](table[f.name]) for f in schema.features)
