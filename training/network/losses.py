"""What the fit minimises for each task, and how the towers' mean scores on validation rows.

The targets of a row are its label, the label's weight, and with a teacher the weight of its answers and these.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from ekiben.contract.schema import Target, Task
from ekiben.training.evaluate.regression import WANTED_COVERAGE
from ekiben.training.network.architecture import Design

LABEL, WEIGHT, TEACHER_WEIGHT, TEACHER = range(4)  # columns of the targets; the last is the first of its answers
MIN_PROBABILITY = 1e-12


def build_loss(design: Design) -> Callable[[Any, Any], Any]:
    """Return the loss of each row and tower, (rows, towers), from targets, (rows, n), and the towers' outputs.

    A tower learns the teacher's answers by its share and the label by the rest; where a row has no label, those with a
    share learn from the teacher alone.
    """
    task, size = design.schema.target.task, len(design.schema.target.outputs)
    shares = np.array([tower.teacher_share for tower in design.shape.towers], np.float32)

    def loss(targets: Any, outputs: Any) -> Any:
        outputs = keras.ops.reshape(outputs, (-1, len(shares), size))  # Keras drops a last dimension of 1
        labels, weights = targets[:, LABEL, None], targets[:, WEIGHT, None]  # (rows, 1)
        own = weights * (1 - shares)
        total = own * _LOSSES[task](labels, outputs)
        if task == "regression":
            total += weights * _bounds_loss(labels, outputs)
        if shares.any():
            taught = (targets[:, TEACHER_WEIGHT, None] - own) * (shares > 0)
            total += taught * _TEACHER_LOSSES[task](targets[:, None, TEACHER:], outputs)
        return total

    return loss


def _binary_loss(labels: Any, outputs: Any) -> Any:
    return _logit_loss(labels, outputs[..., 0])


def _logit_loss(probability: Any, logits: Any) -> Any:
    return keras.ops.softplus(logits) - probability * logits


def _multiclass_loss(labels: Any, outputs: Any) -> Any:
    classes = keras.ops.broadcast_to(keras.ops.cast(labels, "int32"), keras.ops.shape(outputs)[:2])
    return keras.losses.sparse_categorical_crossentropy(classes, outputs, from_logits=True)


def _squared_loss(labels: Any, outputs: Any) -> Any:
    return keras.ops.square(labels - outputs[..., 0])


def _bounds_loss(labels: Any, outputs: Any) -> Any:
    """Return the pinball loss of both bounds."""
    tail = (1 - WANTED_COVERAGE) / 2
    low, high = labels - outputs[..., 1], labels - outputs[..., 2]
    return keras.ops.maximum(tail * low, (tail - 1) * low) + keras.ops.maximum((1 - tail) * high, -tail * high)


_LOSSES: dict[Task, Callable[[Any, Any], Any]] = {
    "binary": _binary_loss,
    "multiclass": _multiclass_loss,
    "regression": _squared_loss,
}
_TEACHER_LOSSES: dict[Task, Callable[[Any, Any], Any]] = {
    "binary": lambda answers, outputs: _logit_loss(answers[..., 0], outputs[..., 0]),
    "multiclass": lambda answers, outputs: -keras.ops.sum(answers * keras.ops.log_softmax(outputs), axis=-1),
    "regression": lambda answers, outputs: _squared_loss(answers[..., 0], outputs),
}


def answer_towers(task: Task, outputs: np.ndarray) -> np.ndarray:
    """Return each tower's probabilities, or its values and bounds, from its outputs, both (rows, towers, outputs)."""
    if task == "regression":
        return outputs
    outputs = outputs.astype(np.float64)
    if task == "binary":
        return 1 / (1 + np.exp(-outputs))
    odds = np.exp(outputs - outputs.max(axis=2, keepdims=True))
    return np.asarray(odds / odds.sum(axis=2, keepdims=True))


def find_evidence(task: Task, labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the label's probability, or the value, (towers, rows), which is what a loss needs of the answers."""
    if task == "multiclass":
        return np.asarray(answers[np.arange(len(labels)), :, labels].T)
    first = np.asarray(answers[:, :, 0].T)
    return np.where(labels, first, 1 - first) if task == "binary" else first


def measure_loss(task: Task, labels: np.ndarray, weights: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Return the weighted mean loss of evidence, (…, rows)."""
    regression = task == "regression"
    losses = np.square(evidence - labels) if regression else -np.log(np.maximum(evidence, MIN_PROBABILITY))
    return np.asarray(losses @ weights / weights.sum())


def score_mean(target: Target, labels: np.ndarray, weights: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    """Return the task's metric of a mean of towers' answers, (rows, outputs)."""
    if target.task == "regression":
        return {"val_r2": float(r2_score(labels, mean[:, 0], sample_weight=weights))}
    if target.task == "multiclass":
        return {"val_accuracy": float(accuracy_score(labels, mean.argmax(axis=1), sample_weight=weights))}
    both = 0 < labels.mean() < 1
    return {"val_auc": float(roc_auc_score(labels, mean[:, 0], sample_weight=weights)) if both else np.nan}
