"""Ekiben's networks beside scikit-learn's gradient boosting: `python -m tests.tables`.

Both see the same rows; the trees get the validation rows to train on too, which the network only
stops by.
"""

import contextlib
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema
from ekiben.training.evaluate import score
from ekiben.training.fitting import fit_and_score
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import read_problem
from ekiben.training.proposal import init
from ekiben.training.tables.read import read_table
from tests.tables.make import MAKERS, Made

METRIC = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}
SEEDS = 3
MAX_TREE_VALUES = 250  # of a category; the trees take 255


class Result(NamedTuple):
    """What both scored on the test rows of one cut, and how long the network took, seconds."""

    network: float
    trees: float
    seconds: float


def main() -> None:
    """Print one line a table and the mean difference."""
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores; means of {SEEDS} cuts\n")
    print("| table | rows × features | task | metric | Ekiben | trees | difference | fit s |")
    print("|---|--:|---|---|--:|--:|--:|--:|")
    differences = []
    for make in MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            differences.append(compare(make, Path(folder)))
    print(f"\nmean difference {np.mean(differences):+.4f}")


def compare(make: Callable[[Path], Made], folder: Path) -> float:
    """Fit both on a table with each seed, print the table's line, and return the mean difference."""
    made, file = make(folder), folder / "problem.toml"
    with contextlib.redirect_stdout(io.StringIO()):
        init(made.table, made.target, query=made.query, name=None, time=None, output=file, force=False)
        problem = read_problem(file)
        table = read_table(problem, lambda _: None)
        cuts = [prepare(problem, table, seed) for seed in range(SEEDS)]
    target = cuts[0].schema.target
    metric = METRIC[target.task]
    results = []
    for seed, prepared in enumerate(cuts):
        began = time.perf_counter()
        ours = fit_and_score(problem, prepared, FitOptions(seed=seed)).scores[metric]
        seconds = time.perf_counter() - began
        results.append(Result(ours, score_trees(prepared, seed)[metric], seconds))
    ours, trees, mean_seconds = np.mean(results, axis=0)
    shape = f"{len(table.frame):,} × {len(problem.features)}"
    line = f"{make.__name__} | {shape} | {target.task} | {metric} | {ours:.4f} | {trees:.4f} | {ours - trees:+.4f}"
    print(f"| {line} | {mean_seconds:.0f} |", flush=True)
    return float(ours - trees)


def score_trees(prepared: Prepared, seed: int) -> dict[str, float]:
    """Fit gradient boosting as it comes and score it on the same rows."""
    schema, parts, labels = prepared.schema, prepared.parts, prepared.labels
    known = pd.concat([parts.train, parts.validation])
    columns, known_labels = as_trees_want(schema, known, known), np.concatenate(labels[:2])
    test = as_trees_want(schema, parts.test, known)
    options = {"random_state": seed, "categorical_features": "from_dtype"}
    if schema.target.task == "regression":
        values = HistGradientBoostingRegressor(**options).fit(columns, known_labels).predict(test)
        return score(schema.target, labels[2], np.repeat(values[:, None], 3, axis=1))
    answers = HistGradientBoostingClassifier(**options).fit(columns, known_labels).predict_proba(test)
    return score(schema.target, labels[2], answers[:, 1:] if schema.target.task == "binary" else answers)


def as_trees_want(schema: Schema, part: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the features with moments as cycles and the most frequent values of each category."""
    numbers = Encoder(schema).encode(part).numbers
    columns: dict[str, object] = {f"number {index}": column for index, column in enumerate(numbers.T)}
    for feature in schema.categories:
        frequent = list(known[feature.name].value_counts().index[:MAX_TREE_VALUES])
        columns[f"category {feature.name}"] = part[feature.name].cat.set_categories(frequent).array
    return pd.DataFrame(columns)


if __name__ == "__main__":
    main()
