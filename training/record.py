"""What a training run leaves in MLflow: its data, its scores, its plots and its model."""

import contextlib
import io
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema

from contract.schema import Schema
from training.evaluate import plot_curves, plot_slices, score_slices
from training.flights import PACKAGE
from training.problem import Problem
from training.raw_columns import raw_dtype
from training.split import Parts

REQUIREMENTS = ("tensorflow-cpu", "keras", "numpy")
SAMPLE_ROWS = 1000  # of the table, for MLflow to show its columns; the digest is of all rows


def log_data(problem: Problem, table: pd.DataFrame, parts: Parts, lineage: Mapping[str, str]) -> None:
    """Log the problem, where the data came from, its digest, and how it was split."""
    mlflow.set_tags(dict(lineage))
    mlflow.log_dict(problem.model_dump(mode="json"), "problem.json")
    for context, part in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        mlflow.log_param(f"{context}_rows", len(part))
    source = CodeDatasetSource({"package": PACKAGE, "version": version(PACKAGE)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hint about integers, which our own schema answers
        dataset = from_pandas(
            table.head(SAMPLE_ROWS), source, problem.target.name, problem.source, digest=lineage["data_digest"]
        )
        mlflow.log_input(dataset, context="training")


def log_evaluation(
    problem: Problem, test: pd.DataFrame, probabilities: np.ndarray, scores: Mapping[str, float]
) -> None:
    """Log the test metrics, the curves, and the scores by slice and month."""
    labels = test[problem.target.name].to_numpy(np.float32)
    mlflow.log_metrics({f"test_{name}": value for name, value in scores.items()})
    for name, plot in plot_curves(labels, probabilities).items():
        _log_figure(plot, name)
    months = test[problem.split.time].dt.strftime("%Y-%m").rename("month")
    for keys in (months, *(test[column] for column in problem.slices)):
        slices = score_slices(labels, probabilities, keys)
        mlflow.log_table(slices, f"evaluation/by_{keys.name}.json")
        _log_figure(plot_slices(str(keys.name), slices), f"by_{keys.name}")


def log_model(schema: Schema, raw_model: keras.Model, example: Mapping[str, np.ndarray]) -> str:
    """Log the Keras model on raw columns with its signature and an example; return its URI."""
    mlflow.log_dict(schema.model_dump(mode="json"), "schema.json")
    with contextlib.redirect_stdout(io.StringIO()):  # Keras draws a bar for each try of the example
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=_KerasFlavor,
            model=raw_model,
            signature=model_signature(schema),
            input_example=dict(example),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
    return str(logged.model_uri)


class _KerasFlavor:
    """What `mlflow.keras.log_model` does, and the folder made first that 3.17.2 writes the example into."""

    @staticmethod
    def save_model(path: str, **options: Any) -> None:
        Path(path).mkdir(parents=True)
        mlflow.keras.save_model(path=path, **options)


def model_signature(schema: Schema) -> ModelSignature:
    """Return the MLflow signature: one named (rows,) tensor per feature in, (rows, 1) probabilities out."""
    inputs: list[ColSpec | TensorSpec] = [TensorSpec(_numpy_type(raw_dtype(f)), (-1,), f.name) for f in schema.features]
    return ModelSignature(MlflowSchema(inputs), MlflowSchema([TensorSpec(np.dtype("float32"), (-1, 1))]))


def _numpy_type(name: str) -> np.dtype:
    return np.dtype("object") if name == "string" else np.dtype(name)


def _log_figure(figure: Figure, name: str) -> None:
    mlflow.log_figure(figure, f"evaluation/{name}.png", save_kwargs={"dpi": 120})
