"""The whole way from a table to a model in the BentoML store: `python -m training train`."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
from tqdm import tqdm

from contract.encode import Encoder
from contract.errors import InvalidTable
from contract.learn import learn_schema
from contract.schema import Schema, Target
from training import tracking
from training.champion import crown
from training.evaluate import format_scores, score
from training.fit import Labelled, Recipe, fit_network
from training.flights import digest_table, load_flights
from training.pack import (
    check_raw_answers,
    choose_golden,
    predict_encoded,
    write_golden,
    write_package,
)
from training.problem import Problem
from training.raw_columns import build_raw_model, to_raw_arrays
from training.record import log_data, log_evaluation, log_model
from training.split import Parts, split_by_time


@dataclass(frozen=True)
class Trained:
    """A network, the schema it was trained with, and what it answered on the test rows."""

    schema: Schema
    network: keras.Model
    raw_model: keras.Model
    answers: np.ndarray  # (test rows, outputs)
    scores: dict[str, float]


def train(problem: Problem, recipe: Recipe, rows: int | None = None) -> str:
    """Train, evaluate, register and, if it beats the champion, pack; return the registered version.

    With `rows` only about that many rows, evenly spread over the table, are used. What is
    registered is complete: an interrupted run leaves neither a version nor another champion.
    """
    tracking.open_store(problem.name)
    table = read_table(rows)
    parts = split_by_time(table, problem.split)
    check_columns(problem, parts)
    mlflow.keras.autolog(log_models=False, log_datasets=False)
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch:
        lineage = {"run_id": run.info.run_id, "data_digest": digest_table(table), "git_commit": tracking.git_commit()}
        log_data(problem, table, parts, lineage)
        trained = fit_and_score(problem, parts, recipe)
        log_evaluation(problem, parts.test, trained.answers[:, 0], trained.scores)
        package = Path(scratch) / tracking.PACKAGE
        package.mkdir()
        model_uri = pack(package, trained, parts.test)
        lineage |= {"schema_digest": trained.schema.digest}
        version = tracking.register(problem.name, model_uri, lineage)
        crown(problem, parts.test, version, trained.scores)
        return version


def read_table(rows: int | None) -> pd.DataFrame:
    """Read the built-in table with a progress bar."""
    with show_steps("reading", 4) as step:
        table = load_flights(step)
    left_out = table.attrs["left_out"]
    if rows:
        table = table.iloc[:: max(1, len(table) // rows)]
    print(f"{len(table):,} flights, {table['late'].mean():.1%} late; left out: {left_out}")
    return table


def check_columns(problem: Problem, parts: Parts) -> None:
    """Raise InvalidTable if a column the problem names is missing or a part has labels of one class only."""
    for column in (problem.target.name, *problem.slices):
        if column not in parts.train:
            raise InvalidTable(f"the table has no column `{column}`; it has: {', '.join(parts.train.columns)}")
    for part, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        if rows[problem.target.name].nunique() < 2:
            raise InvalidTable(f"`{problem.target.name}` is the same in all {len(rows)} {part} rows: use more rows")


def fit_and_score(problem: Problem, parts: Parts, recipe: Recipe) -> Trained:
    """Learn the schema, encode, fit, and score on the test rows."""
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    target = Target(name=problem.target.name, classes=(False, True), description=problem.target.description)
    schema = learn_schema(problem.name, parts.train, target, declared)
    encoder = Encoder(schema)
    fitting, validation, test = (
        Labelled(encoder.encode(part), part[target.name].to_numpy(np.float32))
        for part in (parts.train, parts.validation, parts.test)
    )
    network = fit_network(schema, fitting, validation, recipe)
    answers = predict_encoded(network, test.encoded)
    scores = score(test.labels, answers[:, 0])
    print(f"{len(parts.test):,} test rows, from {problem.split.test_from} on:\n{format_scores(scores)}")
    return Trained(schema, network, build_raw_model(schema, network), answers, scores)


def pack(package: Path, trained: Trained, test: pd.DataFrame) -> str:
    """Write and check the packed folder, log it and the model with the run; return the model's URI."""
    with show_steps("packing", 4) as step:
        step("network")
        rows, places = choose_golden(trained.schema, test)
        write_golden(package, rows, trained.answers[places])
        write_package(package, trained.schema, trained.network, trained.raw_model)
        step("golden answers")
        golden = to_raw_arrays(trained.schema, test.iloc[places])
        check_raw_answers(package, golden, trained.answers[places])
        step("MLflow model")
        model_uri = log_model(trained.schema, trained.raw_model, {name: array[:5] for name, array in golden.items()})
        step("MLflow artifacts")
        mlflow.log_artifacts(str(package), tracking.PACKAGE)
    return model_uri


@contextmanager
def show_steps(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar that moves on, and names the step that begins, at each call of what it yields."""
    with tqdm(total=total, desc=title, unit="step") as bar:

        def begin(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        yield begin
