"""Boosted trees that stand in for the network where many models are compared: each fits in a fraction of a second."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema, Target
from ekiben.training.evaluate import score
from ekiben.training.preparation import Prepared

MAX_CLASSES = 10  # boosting fits as many trees a step; the rarest are one class here
SHAPE = {"max_iter": 40, "learning_rate": 0.2, "max_leaf_nodes": 15, "min_samples_leaf": 20, "early_stopping": False}


@dataclass(frozen=True)
class Inputs:
    """Encoded rows to fit trees to and to score them on: the training and the validation rows."""

    target: Target
    owners: tuple[str, ...]  # the feature behind each column
    train: NDArray[np.float32]  # (rows, inputs)
    scored: NDArray[np.float32]
    train_labels: NDArray[Any]  # (rows,)
    scored_labels: NDArray[Any]

    def of(self, features: Collection[str]) -> "Inputs":
        """Return the same rows with the columns of these features alone."""
        kept = [index for index, owner in enumerate(self.owners) if owner in features]
        owners = tuple(self.owners[index] for index in kept)
        return replace(self, owners=owners, train=self.train[:, kept], scored=self.scored[:, kept])

    def without(self, *features: str) -> "Inputs":
        """Return the same rows without these features."""
        return self.of({*self.owners} - {*features})

    def plus(self, owner: str, train: NDArray[Any], scored: NDArray[Any]) -> "Inputs":
        """Return the same rows with one column more, (rows,) each."""
        return replace(
            self,
            owners=(*self.owners, owner),
            train=np.column_stack([self.train, train]).astype(np.float32),
            scored=np.column_stack([self.scored, scored]).astype(np.float32),
        )


def encode_inputs(prepared: Prepared) -> Inputs:
    """Encode the rows as the network would see them; a category is its code."""
    encoder, schema = Encoder(prepared.schema), prepared.schema
    train, scored = (
        np.hstack([encoded.numbers, encoded.codes.astype(np.float32)])
        for encoded in map(encoder.encode, (prepared.parts.train, prepared.parts.validation))
    )
    target, labels = pool_classes(schema.target, prepared.labels[0], prepared.labels[1])
    return Inputs(target, list_owners(schema), train, scored, *labels)


def list_owners(schema: Schema) -> tuple[str, ...]:
    """Return the feature behind each encoded column: numbers, then the points of cycles, then codes."""
    points = (feature.name for feature in schema.timestamps for _ in range(2 * len(feature.cycles)))
    plain, categories = schema.plain, schema.categories
    return (*(feature.name for feature in plain), *points, *(feature.name for feature in categories))


def pool_classes(target: Target, *labels: NDArray[Any]) -> tuple[Target, tuple[NDArray[Any], ...]]:
    """Return a target of at most MAX_CLASSES, of which the last is all the others, and the labels of that."""
    if len(target.classes) <= MAX_CLASSES:
        return target, labels
    frequent = np.argsort(-np.bincount(labels[0].astype(int), minlength=len(target.classes)), kind="stable")
    index_of = np.full(len(target.classes), MAX_CLASSES - 1)
    index_of[frequent[: MAX_CLASSES - 1]] = np.arange(MAX_CLASSES - 1)
    pooled = target.model_copy(update={"classes": tuple(range(MAX_CLASSES))})
    return pooled, tuple(index_of[part.astype(int)] for part in labels)


def fit_trees(inputs: Inputs) -> Any:
    """Fit boosted trees to the training rows, on one core: several wait for each other more than they work."""
    kind = HistGradientBoostingRegressor if inputs.target.task == "regression" else HistGradientBoostingClassifier
    with threadpool_limits(1):
        return kind(random_state=0, **SHAPE).fit(inputs.train, inputs.train_labels)


def score_trees(trees: Any, inputs: Inputs, scored: NDArray[np.float32] | None = None) -> dict[str, float]:
    """Return the task's metrics on the rows to score, or on others, (rows, inputs), with their labels."""
    rows = inputs.scored if scored is None else scored
    with threadpool_limits(1):
        return score(inputs.target, inputs.scored_labels, _answer(trees, inputs.target, rows))


def try_inputs(inputs: Inputs) -> dict[str, float]:
    """Return the task's metrics of trees that were fitted to these inputs."""
    return score_trees(fit_trees(inputs), inputs)


def _answer(trees: Any, target: Target, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    if target.task == "regression":
        return np.asarray(trees.predict(rows)).reshape(-1, 1)
    answers = np.zeros((len(rows), len(target.classes)))
    answers[:, trees.classes_.astype(int)] = trees.predict_proba(rows)
    return answers[:, 1:] if target.task == "binary" else answers
