"""Fits the network, the same seed always to the same weights, and shows how it goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
from tqdm import tqdm

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema, Target, Task
from ekiben.training.network.architecture import Shape, average_towers, build_towers, network_inputs
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.scaling import TargetScale, scale_numbers, scale_target

COVERAGE = 0.8  # of a regression's interval
PREDICT_ROWS = 8192
FEW_EPOCHS = 10  # of which the last is kept: the learning rate fell to zero for it
BINS = 8
MAX_BINNED_INPUTS = 64
MIN_PATIENCE = 3  # epochs without a better validation loss before the fit ends
PATIENCE_SHARE = 0.15  # of the epochs planned, if those are more


@dataclass(frozen=True)
class FitOptions:
    """What a training run can be told; the rest follows from the table."""

    seed: int = 0
    epochs: int | None = None
    by_time: bool = False  # the rows to validate and test on are later: bins fit yesterday's numbers too closely


@dataclass(frozen=True)
class Plan:
    """What follows from the table."""

    epochs: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    bins: int
    shape: Shape


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows and their labels, (rows,): 0 and 1, the positions of the classes, or numbers."""

    encoded: Encoded
    labels: np.ndarray


def plan_fit(rows: int, inputs: int, options: FitOptions) -> Plan:
    """Return how a table of so many training rows and inputs is fitted."""
    batch_rows = int(np.clip(2 ** round(np.log2(max(rows, 1) / 240)), 32, 8192))
    epochs = options.epochs or int(np.clip(round(1_000_000 / rows), 3, 100))
    bins = 0 if options.by_time or inputs > MAX_BINNED_INPUTS else BINS
    return Plan(epochs, batch_rows, 1e-3, 1e-2, bins, Shape(towers=2 if rows > 20_000 else 4))


def fit_network(schema: Schema, train: LabelledRows, validation: LabelledRows, options: FitOptions) -> keras.Model:
    """Fit a network with AdamW, its learning rate falling to zero along a cosine.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept.
    """
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    target = schema.target
    plan = plan_fit(len(train.labels), train.encoded.numbers.shape[1] + train.encoded.codes.shape[1], options)
    scale = scale_target(target, train.labels)
    towers = build_towers(schema, scale_numbers(train.encoded.numbers, plan.bins), scale, plan.shape)
    steps = plan.epochs * -(-len(train.labels) // plan.batch_rows)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, steps)
    towers.compile(keras.optimizers.AdamW(schedule, weight_decay=plan.weight_decay), LOSSES[target.task])
    labels = _scaled_labels(target, scale, validation.labels)
    with deferred_interrupts() as interrupt:
        best_weights = BestWeights(target, validation.encoded, labels, steps, plan.epochs, interrupt)
        towers.fit(
            network_inputs(train.encoded),
            _scaled_labels(target, scale, train.labels)[:, None, None],
            epochs=plan.epochs,
            batch_size=plan.batch_rows,
            verbose=0,
            callbacks=[best_weights],  # a new list each time: autologging appends to it
        )
    margin = best_weights.interval_margin() if target.task == "regression" else 0.0
    return average_towers(towers, target, scale, margin)


def _scaled_labels(target: Target, scale: TargetScale, labels: np.ndarray) -> np.ndarray:
    if target.task != "regression":
        return labels.astype(np.float32 if target.task == "binary" else np.int32)
    return ((labels - scale.centre) / scale.spread).astype(np.float32)


def _binary_loss(labels: Any, outputs: Any) -> Any:
    labels = keras.ops.broadcast_to(labels, keras.ops.shape(outputs))
    return keras.losses.binary_crossentropy(labels, outputs, from_logits=True)


def _multiclass_loss(labels: Any, outputs: Any) -> Any:
    labels = keras.ops.broadcast_to(labels[:, :, 0], keras.ops.shape(outputs)[:2])
    return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)


def _regression_loss(labels: Any, outputs: Any) -> Any:
    """Squared error of the value and pinball loss of both bounds."""
    error = labels - outputs
    tail = (1 - COVERAGE) / 2
    low = keras.ops.maximum(tail * error[..., 1], (tail - 1) * error[..., 1])
    high = keras.ops.maximum((1 - tail) * error[..., 2], -tail * error[..., 2])
    return keras.ops.square(error[..., 0]) + low + high


LOSSES: Mapping[Task, Callable[[Any, Any], Any]] = {
    "binary": _binary_loss,
    "multiclass": _multiclass_loss,
    "regression": _regression_loss,
}


class BestWeights(keras.callbacks.Callback):
    """Shows one progress bar with the last epoch's validation scores, and restores the best of many epochs.

    `interrupt` is called between batches: where the fit may be interrupted.
    """

    def __init__(
        self, target: Target, encoded: Encoded, labels: np.ndarray, steps: int, epochs: int,
        interrupt: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__()
        self._interrupt = interrupt
        self._chooses = epochs > FEW_EPOCHS
        self._patience = max(MIN_PATIENCE, int(epochs * PATIENCE_SHARE))
        self._target, self._encoded, self._labels = target, encoded, labels
        self._bar = tqdm(total=steps, desc="training", unit="batch")
        self._best_loss = np.inf
        self._best_epoch = 0
        self._best_weights: list[np.ndarray] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        self._interrupt()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        scores = score_outputs(self._target, self._labels, self._predict())
        if logs is not None:
            logs.update(scores)
        self._bar.set_postfix({name: f"{value:.4f}" for name, value in scores.items()})
        if not self._chooses:
            return
        if not self._best_weights or scores["val_loss"] < self._best_loss:
            self._best_loss, self._best_weights = scores["val_loss"], self.model.get_weights()
            self._best_epoch = epoch
        elif epoch - self._best_epoch >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._bar.close()
        if self._best_weights:
            self.model.set_weights(self._best_weights)

    def interval_margin(self) -> float:
        """Return by how much the bounds must be moved apart so that they hold their share of validation rows.

        Conformalized quantile regression: Romano, Patterson and Candès (2019).
        """
        outputs, labels = self._predict().mean(axis=1), self._labels
        outside = np.maximum(outputs[:, 1] - labels, labels - outputs[:, 2])
        share = min(1.0, np.ceil((len(labels) + 1) * COVERAGE) / len(labels))
        return float(np.quantile(outside, share, method="higher"))

    def _predict(self) -> np.ndarray:
        inputs = network_inputs(self._encoded)
        parts = [
            self.model.predict_on_batch({name: array[start : start + PREDICT_ROWS] for name, array in inputs.items()})
            for start in range(0, len(self._encoded), PREDICT_ROWS)
        ]
        return np.concatenate(parts)


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
