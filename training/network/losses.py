"""What the fit minimises, and how its outputs score on validation rows, for each task."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from ekiben.contract.schema import Target, Task
from ekiben.training.evaluate.regression import WANTED_COVERAGE


def _binary_loss(labels: Any, outputs: Any) -> Any:
    labels = keras.ops.broadcast_to(labels, keras.ops.shape(outputs))
    return keras.losses.binary_crossentropy(labels, outputs, from_logits=True)


def _multiclass_loss(labels: Any, outputs: Any) -> Any:
    labels = keras.ops.broadcast_to(labels[:, :, 0], keras.ops.shape(outputs)[:2])
    return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)


def _regression_loss(labels: Any, outputs: Any) -> Any:
    """Squared error of the value and pinball loss of both bounds."""
    error = labels - outputs
    tail = (1 - WANTED_COVERAGE) / 2
    low = keras.ops.maximum(tail * error[..., 1], (tail - 1) * error[..., 1])
    high = keras.ops.maximum((1 - tail) * error[..., 2], -tail * error[..., 2])
    return keras.ops.square(error[..., 0]) + low + high


LOSSES: Mapping[Task, Callable[[Any, Any], Any]] = {
    "binary": _binary_loss,
    "multiclass": _multiclass_loss,
    "regression": _regression_loss,
}


def score_outputs(target: Target, labels: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Return the loss and the task's metric of the towers' mean, from outputs (rows, towers, outputs)."""
    if target.task == "regression":
        value = outputs[:, :, 0].mean(axis=1)
        return {"val_loss": float(np.square(labels - value).mean()), "val_r2": float(r2_score(labels, value))}
    outputs = outputs.astype(np.float64)
    if target.task == "binary":
        probability = (1 / (1 + np.exp(-outputs[:, :, 0]))).mean(axis=1)
        both = 0 < labels.mean() < 1
        loss = float(log_loss(labels, probability, labels=[0, 1]))
        return {"val_loss": loss, "val_auc": float(roc_auc_score(labels, probability)) if both else np.nan}
    odds = np.exp(outputs - outputs.max(axis=2, keepdims=True))
    probabilities = (odds / odds.sum(axis=2, keepdims=True)).mean(axis=1)
    loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()
    return {"val_loss": float(loss), "val_accuracy": float(accuracy_score(labels, probabilities.argmax(axis=1)))}
