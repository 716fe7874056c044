"""What a training run leaves in MLflow: its data, its scores, its plots and its model."""

import contextlib
import io
import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from importlib.metadata import version

import keras
import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.models import Model

from ekiben.contract.schema import Schema, Target
from ekiben.training.dataset.split import Parts
from ekiben.training.evaluate import period_keys, plot, plot_slices, score_slices, slice_keys
from ekiben.training.evaluate.weights import Weights
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.table_flavor import TableFlavor, model_signature
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.sources.flights import PACKAGE

REQUIREMENTS = ("tensorflow-cpu", "keras", "numpy", "pandas")
SAMPLE_ROWS = 1000  # of the table, for MLflow to show its columns; the digest is of all rows
MAX_FILE_NAME = 40  # characters
MAX_DIGEST = 36  # characters that MLflow keeps of a digest with the data; the tag has all of them
MAX_SHOWN = 500  # characters of a name or a query that MLflow shows with the data


def log_data(
    problem: ProblemConfig, table: pd.DataFrame, parts: Parts, lineage: Mapping[str, str], source_description: str
) -> None:
    """Log the problem, where the data came from, its digest, and how it was split.

    In the problem the description, which has no password, stands in place of a database's URL.
    """
    mlflow.set_tags(dict(lineage))
    described = problem.model_dump(mode="json", exclude={"pipeline"})  # whose URLs may hold logins
    if isinstance(problem.source, SqlSource):
        described["source"]["url"] = source_description
    mlflow.log_dict(described, "problem.json")
    for context, rows in zip(("training", "validation", "test"), parts.sizes, strict=True):
        mlflow.log_param(f"{context}_rows", rows)
    name, source = describe_source(problem, source_description)
    sample = table.head(SAMPLE_ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hint about integers, which our own schema answers
        digest = lineage["data_digest"][:MAX_DIGEST]
        dataset = from_pandas(sample, source, problem.target.name, name[:MAX_SHOWN], digest=digest)
        mlflow.log_input(dataset, context="training")


def describe_source(problem: ProblemConfig, description: str) -> tuple[str, str | DatasetSource]:
    """Return what MLflow calls the data, and where it says they come from."""
    source = problem.source
    if isinstance(source, BuiltInSource):
        return source.loader, CodeDatasetSource({"package": PACKAGE, "version": version(PACKAGE)})
    if isinstance(source, FileSource):
        path = source.path.resolve()
        return path.name, path.as_uri()
    return problem.name, CodeDatasetSource({"database": description, "query": source.query[:MAX_SHOWN]})


def log_evaluation(
    problem: ProblemConfig,
    target: Target,
    test: pd.DataFrame,
    labels: np.ndarray,
    answers: np.ndarray,
    scores: Mapping[str, float],
    weights: Weights = None,
) -> None:
    """Log the test metrics, the plots of the task, and the scores by slice and, if the split is by time, by month.

    `labels`, `weights`, (rows,), and `answers`, (rows, outputs), are those of the test rows. Plots are of rows,
    whatever their weight.
    """
    mlflow.log_metrics({f"test_{name}": value for name, value in scores.items()})
    for name, figure in plot(target, labels, answers).items():
        log_figure(figure, name)
    slices = slice_test(problem, test)
    for file, (name, keys) in zip(file_names(name for name, _ in slices), slices, strict=True):
        scored = score_slices(target, labels, answers, keys, weights)
        mlflow.log_table(scored, f"evaluation/by_{file}.json")
        log_figure(plot_slices(target, name, scored), f"by_{file}")


def slice_test(problem: ProblemConfig, test: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Return what the test rows are sliced by: a name, and a key for each row."""
    slices = [(column, slice_keys(test[column])) for column in dict.fromkeys(problem.slices)]
    if problem.split.moment is None:
        return slices
    periods = period_keys(test[problem.split.moment])
    return [(str(periods.name), periods), *slices]


def file_names(names: Iterable[str]) -> list[str]:
    """Return a file name for each, without its ending, that every system takes; no two are alike."""
    given: list[str] = []
    for name in names:
        words = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")
        stem = words[:MAX_FILE_NAME] or "column"
        numbered = (f"{stem}_{number}" for number in itertools.count(2))
        given.append(next(file for file in itertools.chain([stem], numbered) if file not in given))
    return given


def log_model(schema: Schema, raw_model: keras.Model, example: Mapping[str, np.ndarray]) -> str:
    """Log the Keras model on raw columns with its signature and an example; return its URI."""
    mlflow.log_dict(schema.model_dump(mode="json"), "schema.json")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # MLflow loads the model to try the example: Keras draws a bar, and warns as in `build_raw_model`.
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict")
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=TableFlavor,
            model=raw_model,
            schema=schema,
            signature=model_signature(schema),
            input_example=pd.DataFrame(dict(example)),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
    return str(logged.model_uri)


def log_figure(figure: Figure, name: str) -> None:
    """Log a plot of the evaluation."""
    mlflow.log_figure(figure, f"evaluation/{name}.png", save_kwargs={"dpi": 120})
