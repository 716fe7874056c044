"""Turns a network's outputs into predictions: one per row, in the form of its task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.schema import INTERVAL, Label, Target

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
    """Return the class of each row, as `decide` does."""
    classes = target.classes
    if target.task == "binary":
        (no, yes), threshold = classes, target.threshold
        return [yes if likely >= threshold else no for likely in answers[:, 0].tolist()]
    return [classes[index] for index in answers.argmax(axis=1).tolist()]


def decide(target: Target, answers: NDArray[Any]) -> NDArray[np.intp]:
    """Return the position of each row's class, (rows,).

    Of two it is the last one from the target's threshold on, of more the likeliest. The threshold is compared in
    float64, as JSON's readers and Python's lists compare it: in float32 it would be rounded, too.
    """
    if target.task == "binary":
        return np.asarray(answers[:, 0].astype(np.float64) >= target.threshold, np.intp)
    return np.asarray(answers.argmax(axis=1))


def score_classes(target: Target, answers: Answers) -> Answers:
    """Return the probability of each class, (rows, classes)."""
    return answers if target.task == "multiclass" else np.concatenate([1 - answers, answers], axis=1)


def name_classes(target: Target) -> list[str]:
    """Return the classes as strings, spelt as JSON spells them."""
    return [str(label).lower() if isinstance(label, bool) else str(label) for label in target.classes]


def _binary_rows(target: Target, answers: Answers) -> list[dict[str, Any]]:
    (no, yes), threshold = target.classes, target.threshold
    probabilities: list[float] = answers[:, 0].tolist()
    return [
        {"probability": probability, "label": yes if probability >= threshold else no} for probability in probabilities
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
