"""From a prepared table to a network, and to what it answers on rows that it never saw."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from ekiben.contract.encoding import Encoder
from ekiben.training.evaluate import score
from ekiben.training.network.fit import FitOptions, LabelledRows, fit_network
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.packaging import predict_encoded


@dataclass(frozen=True)
class Trained:
    """A network, and what it answered on the test rows."""

    network: keras.Model
    answers: np.ndarray  # (test rows, outputs)
    scores: dict[str, float]


def fit_and_score(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> Trained:
    """Encode, fit, and score on the test rows."""
    return score_network(prepared, fit(problem, prepared, options))


def fit(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> keras.Model:
    """Encode the rows to train and validate on, and fit a network to them."""
    encoder, parts = Encoder(prepared.schema), prepared.parts
    train, validation = (
        LabelledRows(encoder.encode(part), labels, weights)
        for part, labels, weights in zip(
            (parts.train, parts.validation), prepared.labels[:2], prepared.weights[:2], strict=True
        )
    )
    return fit_network(prepared.schema, train, validation, replace(options, by_time=problem.split.moment is not None))


def score_network(prepared: Prepared, network: keras.Model) -> Trained:
    """Return a network with its answers and scores on the test rows."""
    answers = predict_encoded(network, Encoder(prepared.schema).encode(prepared.parts.test))
    return Trained(network, answers, score(prepared.schema.target, prepared.labels[2], answers, prepared.weights[2]))
