"""Fits a network to rows on disk."""

from dataclasses import replace

from ekiben.training.fitting import fit, fit_to
from ekiben.training.network.fit import FitOptions, Fitted, LabelledRows
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.memory import release_memory
from ekiben.training.streaming.preparing import PreparedOnDisk


def fit_prepared(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> Fitted:
    """Fit a network to rows wherever they are."""
    if isinstance(prepared, PreparedOnDisk):
        return fit_from_disk(problem, prepared, options)
    return fit(problem, prepared, options)


def fit_from_disk(problem: ProblemConfig, prepared: PreparedOnDisk, options: FitOptions) -> Fitted:
    """Fit a network to the rows on disk; those to validate on are in memory."""
    train, both = (LabelledRows(rows.encoded, rows.labels, rows.weights) for rows in (prepared.rows, prepared.both))
    release_memory()
    return fit_to(problem, prepared, train, replace(options, most_batch_rows=prepared.most_batch_rows), both)
