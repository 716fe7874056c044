"""Fits a network to rows on disk, and scores it on a sample of the test rows."""

from dataclasses import replace

from ekiben.contract.encoding import Encoder
from ekiben.training.fitting import Trained, score_network
from ekiben.training.network.fit import FitOptions, LabelledRows, fit_network
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import PreparedOnDisk


def fit_from_disk(problem: ProblemConfig, prepared: PreparedOnDisk, options: FitOptions) -> Trained:
    """Fit, and score on the test rows in memory."""
    schema, rows = prepared.schema, prepared.rows
    train = LabelledRows(rows.encoded, rows.labels, rows.weights)
    encoded = Encoder(schema).encode(prepared.parts.validation)
    validation = LabelledRows(encoded, prepared.labels[1], prepared.weights[1])
    by_time = replace(options, by_time=problem.split.moment is not None)
    network = fit_network(schema, train, validation, by_time)
    return score_network(prepared, network)
