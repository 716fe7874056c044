"""Which registered version serves: the gate a new one has to pass, and its way into the BentoML store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bentoml
import mlflow
import pandas as pd
from bentoml.exceptions import BentoMLException
from mlflow.entities.model_registry import ModelVersion

from contract.encode import Encoder
from contract.schema import load_schema
from service.engine import load_engine
from service.model import LITERT_FILE, SAVED_MODEL_FOLDER, SCHEMA_FILE, engine_kind
from training import tracking
from training.evaluate import score
from training.pack import store_package
from training.problem import Problem

GATE = "log_loss"  # a proper score, lower is better: it rewards calibration as well as ranking


def crown(problem: Problem, test: pd.DataFrame, version: str, scores: dict[str, float]) -> str:
    """Make the version the champion if there is none or it does better on the same test rows.

    Returns the champion's version, which is in the BentoML store afterwards.
    """
    champion = tracking.find_champion(problem.name)
    if champion is None:
        print(f"version {version} is the first of {problem.name}: it becomes the champion")
        return install(problem.name, version)
    best = score_version(problem, champion, test)[GATE]
    comparison = (
        f"{GATE} {scores[GATE]:.5f} of version {version} against {best:.5f} of the champion, version {champion.version}"
    )
    if scores[GATE] < best:
        print(f"{comparison}: the new one becomes the champion")
        return install(problem.name, version)
    print(f"{comparison}: not better, the champion stays")
    tracking.set_alias(problem.name, tracking.CHALLENGER, version)
    return install(problem.name, champion.version)


def install(name: str, version: str) -> str:
    """Put a registered version into the BentoML store, if it is not there, and make it the champion."""
    registered = tracking.get_version(name, version)
    if not _is_stored(registered):
        with open_package(registered) as package:
            lineage = {**registered.tags, "version": version, "alias": tracking.CHAMPION}
            stored = store_package(package, version, lineage)
            print(f"packed as {stored.tag}")
    tracking.set_alias(name, tracking.CHAMPION, version)
    return version


def score_version(problem: Problem, registered: ModelVersion, test: pd.DataFrame) -> dict[str, float]:
    """Return a registered version's scores on these test rows."""
    with open_package(registered) as package:
        schema = load_schema(package / SCHEMA_FILE)
        engine = load_engine(engine_kind(package), package / LITERT_FILE, package / SAVED_MODEL_FOLDER)
        answers = engine.run(Encoder(schema).encode(test))
    return score(test[problem.target.name].to_numpy("float32"), answers[:, 0])


@contextmanager
def open_package(registered: ModelVersion) -> Iterator[Path]:
    """Fetch the packed folder of a registered version from its run."""
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"runs:/{registered.run_id}/{tracking.PACKAGE}"
        yield Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch))


def _is_stored(registered: ModelVersion) -> bool:
    try:
        newest = bentoml.models.get(f"{registered.name}:latest")
    except BentoMLException:
        return False
    return bool(newest.info.labels.get("run_id") == registered.run_id)
