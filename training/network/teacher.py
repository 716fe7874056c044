"""Boosted trees that teach the network: what they answer on rows that they were not fitted to is easier to learn.

Distilling: Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network (2015); with perturbed copies of the
rows, of which the teacher alone knows the answer: Fakoor and others, Fast, Accurate, and Simple Models for Tabular Data
via Augmented Distillation (2020).
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Target
from ekiben.training.network.folds import FOLDS, MIN_UNITS, can_cut, cut_folds
from ekiben.training.network.monotone import MonotoneNumbers

MAX_ROWS, MAX_CLASSES = 100_000, 10  # there is a tree for each class in every iteration
LEAVES = (6, 16, 48)  # tried on the first fold
MAX_CODES = 250  # of a category, the most frequent ones; trees take 255
RATE, FAST_RATE, FAST_FROM = 0.05, 0.08, 15_000  # learning rates, and the rows from which the second is used
MAX_ITERATIONS, PATIENCE = 1000, 40
OPTIONS = {
    "early_stopping": True, "n_iter_no_change": PATIENCE, "max_iter": MAX_ITERATIONS, "min_samples_leaf": 15,
    "l2_regularization": 2.0, "max_features": 0.7, "scoring": "loss",
}  # fmt: skip


@dataclass(frozen=True)
class Teacher:
    """A model a fold, and what each answered to the rows it was not fitted to, (rows, answers) float32."""

    target: Target
    models: tuple[Any, ...]
    answers: np.ndarray
    leaves: int  # of a tree

    def answer(self, encoded: Encoded) -> np.ndarray:
        """Return the mean of what the models answer, (rows, answers) float32."""
        columns = _columns(encoded)
        answers = [_answer(self.target, model, columns) for model in self.models]
        return np.asarray(np.mean(answers, axis=0), np.float32)

    def extend(self, encoded: Encoded) -> Self:
        """Return it with its answers to more rows, to which none of the models was fitted."""
        return replace(self, answers=np.concatenate([self.answers, self.answer(encoded)]))


def can_teach(
    target: Target, labels: np.ndarray, monotone: MonotoneNumbers | None = None, groups: np.ndarray | None = None
) -> bool:
    """Return whether trees learn these labels in seconds: of each class every fold needs some.

    Of more than two classes trees can't keep to what is monotone.
    """
    if monotone and target.task == "multiclass":
        return False
    fitting = MIN_UNITS <= len(labels) <= MAX_ROWS and len(target.classes) <= MAX_CLASSES
    return fitting and can_cut(target, labels, groups)


def fit_teacher(
    target: Target, encoded: Encoded, labels: np.ndarray, weights: np.ndarray | None, seed: int,
    monotone: MonotoneNumbers | None = None, groups: np.ndarray | None = None, leaves: tuple[int, ...] = LEAVES,
) -> Teacher:  # fmt: skip
    """Fit a model to four fifths of the rows five times; the fifth says when to stop, and how many leaves trees have.

    It keeps to what is monotone, so that it teaches nothing that the network can't learn. The rows of one of the
    `groups`, (rows,), are in one fifth: a model that was fitted to some of them would answer the others by heart.
    """
    columns = _columns(encoded)
    categories = np.arange(columns.shape[1]) >= encoded.numbers.shape[1]
    folds = cut_folds(target, labels, seed, groups)
    models: list[Any] = []
    answers = np.zeros((len(labels), len(target.classes) if target.task == "multiclass" else 1), np.float32)
    directions = monotone.constrain(columns.shape[1]) if monotone else None
    for fold in range(FOLDS):
        known, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = [
            _fit(target, columns, labels, weights, known, held, categories, count, seed, directions) for count in leaves
        ]
        best = int(np.argmax([model.validation_score_.max() for model in fitted]))
        leaves = (leaves[best],)
        models.append(fitted[best])
        answers[held] = _answer(target, models[-1], columns[held])
    return Teacher(target, tuple(models), answers, leaves[0])


def _fit(
    target: Target, columns: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, known: np.ndarray,
    held: np.ndarray, categories: np.ndarray, leaves: int, seed: int, directions: np.ndarray | None,
) -> Any:  # fmt: skip
    kind = HistGradientBoostingRegressor if target.task == "regression" else HistGradientBoostingClassifier
    rate = RATE if len(labels) < FAST_FROM else FAST_RATE
    model = kind(
        learning_rate=rate, max_leaf_nodes=leaves, categorical_features=categories, random_state=seed,
        monotonic_cst=directions, **OPTIONS,
    )  # fmt: skip
    counted, counted_held = (None if weights is None else weights[part] for part in (known, held))
    with threadpool_limits(1):  # threads wait for each other, 20 times as long on a busy machine
        return model.fit(
            columns[known], labels[known], counted,
            X_val=columns[held], y_val=labels[held], sample_weight_val=counted_held,
        )  # fmt: skip


def _answer(target: Target, model: Any, columns: np.ndarray) -> np.ndarray:
    with threadpool_limits(1):
        if target.task == "regression":
            return np.asarray(model.predict(columns)[:, None])
        probabilities = model.predict_proba(columns)
    return np.asarray(probabilities[:, 1:] if target.task == "binary" else probabilities)


def _columns(encoded: Encoded) -> np.ndarray:
    """Return numbers and codes side by side, (rows, inputs) float32, rare values of a category missing."""
    codes = np.where(encoded.codes < MAX_CODES, encoded.codes, np.nan)
    return np.concatenate([encoded.numbers, codes], axis=1, dtype=np.float32)
