"""Fits a network to rows on disk."""

import keras

from ekiben.training.fitting import fit_to
from ekiben.training.network.fit import FitOptions, LabelledRows
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import PreparedOnDisk


def fit_from_disk(problem: ProblemConfig, prepared: PreparedOnDisk, options: FitOptions) -> keras.Model:
    """Fit a network to the rows on disk; those to validate on are in memory."""
    rows = prepared.rows
    return fit_to(problem, prepared, LabelledRows(rows.encoded, rows.labels, rows.weights), options)
