"""From a prepared table to a network, and to what it answers on rows that it never saw."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from ekiben.contract.encoding import Encoder
from ekiben.training.dataset.groups import find_groups
from ekiben.training.evaluate import score
from ekiben.training.network.fit import FitOptions, Fitted, LabelledRows, fit_network
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.split_config import Split
from ekiben.training.target_scale import find_link


@dataclass(frozen=True)
class Trained:
    """A network, and what it answered on the test rows."""

    network: keras.Model
    answers: np.ndarray  # (test rows, outputs)
    scores: dict[str, float]


def fit_and_score(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> Trained:
    """Encode, fit, and score on the test rows."""
    return score_network(prepared, fit(problem, prepared, options).network)


def fit(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> Fitted:
    """Encode the rows to train and validate on, and fit a network to them."""
    encoded = Encoder(prepared.schema).encode(prepared.parts.train)
    groups = find_groups(prepared.parts.train, problem.split.group)
    return fit_to(problem, prepared, LabelledRows(encoded, prepared.labels[0], prepared.weights[0], groups), options)


def fit_to(
    problem: ProblemConfig,
    prepared: Prepared,
    train: LabelledRows,
    options: FitOptions,
    both: LabelledRows | None = None,
) -> Fitted:
    """Fit a network to rows that are encoded already, and follow it on those to validate on.

    `both` are all of these, where they are more than are in memory.
    """
    by_time = replace(options, by_time=problem.split.moment is not None)
    validation = encode_validation(problem.split, prepared)
    return fit_network(prepared.schema, train, validation, by_time, find_link(problem, prepared), both)


def encode_validation(split: Split, prepared: Prepared) -> LabelledRows:
    """Encode the rows to validate on, those of one time after the other: intervals are fitted to the latest."""
    part, weights, time = prepared.parts.validation, prepared.weights[1], split.moment
    order = part[time].argsort(kind="stable").to_numpy() if time else np.arange(len(part))
    encoded = Encoder(prepared.schema).encode(part.iloc[order])
    groups = find_groups(part.iloc[order], split.group)
    return LabelledRows(encoded, prepared.labels[1][order], None if weights is None else weights[order], groups)


def score_network(prepared: Prepared, network: keras.Model) -> Trained:
    """Return a network with its answers and scores on the test rows."""
    answers = predict_encoded(network, Encoder(prepared.schema).encode(prepared.parts.test))
    return Trained(network, answers, score(prepared.schema.target, prepared.labels[2], answers, prepared.weights[2]))
