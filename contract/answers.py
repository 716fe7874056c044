"""Turns a network's outputs into predictions: one per row, in the form of its task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.schema import INTERVAL, Label, Target

DECISION_THRESHOLD = 0.5
# Where float32 ends: a wrong answer that is certain must not cost more than it can tell from certain.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
Answers = NDArray[np.float32]  # (rows, outputs)


def to_predictions(target: Target, answers: Answers) -> list[dict[str, Any]]:
    """Return one prediction a row, as JSON will hold it."""
    return _ROWS[target.task](target, answers)


def to_columns(target: Target, answers: Answers) -> Mapping[str, Any]:
    """Return the same predictions as columns, (rows,) each, for a table; nested names are joined by dots."""
    exact = answers.astype(np.float64)  # written out they are the digits JSON has
    if target.task == "regression":
        return dict(zip(INTERVAL, exact.T, strict=True))
    if target.task == "binary":
        return {"probability": exact[:, 0], "label": label_rows(target, answers)}
    scores = {f"probabilities.{name}": exact[:, index] for index, name in enumerate(target.outputs)}
    return {"label": label_rows(target, answers), "probability": exact.max(axis=1), **scores}


def label_rows(target: Target, answers: Answers) -> list[Label]:
    """Return the class of each row: of two the last one from DECISION_THRESHOLD on, of more the likeliest."""
    classes = target.classes
    if target.task == "binary":
        no, yes = classes
        return [yes if likely >= DECISION_THRESHOLD else no for likely in answers[:, 0].tolist()]
    return [classes[index] for index in answers.argmax(axis=1).tolist()]


def score_classes(target: Target, answers: Answers) -> Answers:
    """Return the probability of each class, (rows, classes)."""
    return answers if target.task == "multiclass" else np.concatenate([1 - answers, answers], axis=1)


def name_classes(target: Target) -> list[str]:
    """Return the classes as strings, spelt as JSON spells them."""
    return [str(label).lower() if isinstance(label, bool) else str(label) for label in target.classes]


def _binary_rows(target: Target, answers: Answers) -> list[dict[str, Any]]:
    no, yes = target.classes
    probabilities: list[float] = answers[:, 0].tolist()
    return [
        {"probability": probability, "label": yes if probability >= DECISION_THRESHOLD else no}
        for probability in probabilities
    ]


def _multiclass_rows(target: Target, answers: Answers) -> list[dict[str, Any]]:
    names = target.outputs
    return [
        {"label": label, "probability": max(scores), "probabilities": dict(zip(names, scores, strict=True))}
        for label, scores in zip(label_rows(target, answers), answers.tolist(), strict=True)
    ]


def _regression_rows(_: Target, answers: Answers) -> list[dict[str, Any]]:
    return [{"value": value, "low": low, "high": high} for value, low, high in answers.tolist()]


_ROWS: Mapping[str, Callable[[Target, Answers], list[dict[str, Any]]]] = {
    "binary": _binary_rows,
    "multiclass": _multiclass_rows,
    "regression": _regression_rows,
}
