"""A first network, fitted as `ekiben train` does and kept nowhere, and where it errs."""

import contextlib
import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.checks.report import Report, check_table
from ekiben.training.evaluate import plot, plot_slices, score_slices, slice_keys
from ekiben.training.evaluate.slices import MAX_SLICES
from ekiben.training.fitting import Trained, fit_and_score
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig

ROW_PASSES = 80_000  # rows seen, over all epochs: a few seconds
MIN_EPOCHS, MAX_EPOCHS = 2, 30
TELLING = {"binary": "calibration", "multiclass": "confusion", "regression": "predicted_observed"}


def fit_first(problem: ProblemConfig, prepared: Prepared, epochs: int | None = None) -> Trained:
    """Fit a network for a few epochs, by default as many as take seconds."""
    rows = len(prepared.parts.train)
    options = FitOptions(epochs=epochs or int(np.clip(ROW_PASSES // rows, MIN_EPOCHS, MAX_EPOCHS)))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return fit_and_score(problem, prepared, options)


def plot_answers(prepared: Prepared, trained: Trained) -> Figure:
    """Return the one plot that says most of the answers to the test rows."""
    target = prepared.schema.target
    return plot(target, prepared.labels[2], trained.answers)[TELLING[target.task]]


def plot_errors(prepared: Prepared, trained: Trained, by: str) -> Figure:
    """Return the scores of the test rows by the values of a column."""
    scored = score_errors(prepared, trained, by)
    return plot_slices(prepared.schema.target, by, scored)


def score_errors(prepared: Prepared, trained: Trained, by: str) -> pd.DataFrame:
    """Return the scores of the test rows by the values of a column, or its months or tenths."""
    keys = slice_keys(prepared.parts.test[by])
    return score_slices(prepared.schema.target, prepared.labels[2], trained.answers, keys)


def choose_slices(frame: pd.DataFrame, features: list[str], limit: int = 3) -> list[str]:
    """Return the first of the features, best first, that have few enough values to be looked at one by one."""
    return [name for name in features if 1 < slice_keys(frame[name]).nunique() <= MAX_SLICES][:limit]


def compare_parts(prepared: Prepared) -> Report:
    """Check the test rows against the schema and the reference that are learned of the training rows."""
    schema, columns = prepared.schema, tuple(map(str, prepared.parts.train.columns))
    reference = learn_reference(schema, columns, prepared.parts.train)
    return check_table(schema, reference, columns, prepared.parts.test, (), against="the training rows")
