"""Ekiben's networks beside scikit-learn's gradient boosting, as the docs show it: `python -m tests.tables`.

Both see the same rows; the trees get the validation rows to train on too, which the network only
stops by.
"""

import contextlib
import io
import os
import platform
import tempfile
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from contract.encode import Encoder
from contract.learn import learn_schema
from contract.schema import Schema
from tests.tables.make import MAKERS
from training.evaluate import score
from training.fit import Labelled, Recipe, fit_network
from training.network import network_inputs
from training.problem import read_problem
from training.proposal import init
from training.read import read_table
from training.split import Parts, split_table
from training.target import encode_labels, learn_target

METRIC = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}
SEEDS = 3
Scores = dict[str, float]


def main() -> None:
    """Print one line a table and the mean difference."""
    print(
        f"{date.today()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores; means of {SEEDS} seeds\n"
    )
    print(
        "| table | rows × features | task | metric | Ekiben | trees | difference | fit s |\n|---|--:|---|---|--:|--:|--:|--:|"
    )
    differences = []
    for make in MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            differences.append(compare(make.__name__, *measure(Path(folder), make)))
    print(f"\nmean difference {np.mean(differences):+.4f}")


def measure(folder: Path, make: object) -> tuple[Schema, int, list[tuple[Scores, Scores, float]]]:
    """Return the schema, the rows, and for each seed both scores and the seconds the network took."""
    made = make(folder)  # type: ignore[operator]
    file = folder / "problem.toml"
    with contextlib.redirect_stdout(io.StringIO()):
        init(made.table, made.target, query=made.query, name=None, time=None, output=file, force=False)
    problem = read_problem(file)
    frame = read_table(problem, lambda _: None).frame
    target = learn_target(problem.target, frame[problem.target.name])
    strata = None if target.task == "regression" else encode_labels(target, frame[target.name])
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    found = []
    for seed in range(SEEDS):
        parts = split_table(frame, problem.split, strata, seed)
        schema = learn_schema(problem.name, frame, target, declared, parts.train)
        began = time.perf_counter()
        ours = score_network(schema, parts, seed, problem.split.time is not None)
        seconds = time.perf_counter() - began
        found.append((ours, score_trees(schema, parts, seed), seconds))
    return schema, len(frame), found


def score_network(schema: Schema, parts: Parts, seed: int, by_time: bool) -> Scores:
    """Fit the network and score it on the test rows."""
    encoder = Encoder(schema)
    train, validation, test = (
        Labelled(encoder.encode(part), encode_labels(schema.target, part[schema.target.name]))
        for part in (parts.train, parts.validation, parts.test)
    )
    network = fit_network(schema, train, validation, Recipe(seed=seed, by_time=by_time))
    answers = np.asarray(network.predict(network_inputs(test.encoded), verbose=0))
    return score(schema.target, test.labels, answers)


def score_trees(schema: Schema, parts: Parts, seed: int) -> Scores:
    """Fit gradient boosting as it comes and score it on the same rows."""
    target = schema.target
    known = pd.concat([parts.train, parts.validation])
    labels = [encode_labels(target, part[target.name]) for part in (known, parts.test)]
    columns = [as_trees_want(schema, part, known) for part in (known, parts.test)]
    if target.task == "regression":
        value = HistGradientBoostingRegressor(random_state=seed, categorical_features="from_dtype").fit(
            columns[0], labels[0]
        )
        answers = np.repeat(value.predict(columns[1])[:, None], 3, axis=1)
    else:
        trees = HistGradientBoostingClassifier(random_state=seed, categorical_features="from_dtype").fit(
            columns[0], labels[0]
        )
        answers = trees.predict_proba(columns[1])
        answers = answers[:, 1:] if target.task == "binary" else answers
    return score(target, labels[1], answers)


def as_trees_want(schema: Schema, part: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the features with moments as cycles and only the most frequent 250 values of a category."""
    encoded = Encoder(schema).encode(part)
    columns = {f"n{place}": encoded.numbers[:, place] for place in range(encoded.numbers.shape[1])}
    for feature in schema.categories:
        frequent = known[feature.name].value_counts().index[:250]
        columns[f"c {feature.name}"] = pd.Categorical(part[feature.name].astype(object), categories=list(frequent))
    return pd.DataFrame(columns)


def compare(name: str, schema: Schema, rows: int, found: list[tuple[Scores, Scores, float]]) -> float:
    """Print the table's line and return the difference."""
    metric = METRIC[schema.target.task]
    ours, trees = (np.mean([pair[place][metric] for pair in found]) for place in (0, 1))  # type: ignore[literal-required]
    shape = f"{rows:,} × {len(schema.features)}"
    seconds = np.mean([seconds for *_, seconds in found])
    print(
        f"| {name} | {shape} | {schema.target.task} | {metric} | {ours:.4f} | {trees:.4f} | {ours - trees:+.4f} | {seconds:.0f} |",
        flush=True,
    )
    return float(ours - trees)


if __name__ == "__main__":
    main()
