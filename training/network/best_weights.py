"""Follows a fit epoch by epoch: shows how it goes, ends it when it gets no better, and keeps the best weights."""

from collections.abc import Callable

import keras
import numpy as np
from tqdm import tqdm

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Target
from ekiben.training.calibration import find_margin
from ekiben.training.evaluate.regression import WANTED_COVERAGE
from ekiben.training.network.architecture import network_inputs
from ekiben.training.network.losses import score_outputs

PREDICT_ROWS = 8192
FEW_EPOCHS = 10  # of which the last is kept: the learning rate fell to zero for it
MIN_PATIENCE = 3  # epochs without a better validation loss before the fit ends
PATIENCE_SHARE = 0.15  # of the epochs planned, if those are more


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

    def interval_margin(self, by_time: bool) -> float:
        """Return by how much the bounds must be moved apart so that they hold their share of validation rows."""
        outputs, labels = self._predict().mean(axis=1), self._labels
        outside = np.maximum(outputs[:, 1] - labels, labels - outputs[:, 2])
        return find_margin(outside, WANTED_COVERAGE, by_time)

    def _predict(self) -> np.ndarray:
        inputs = network_inputs(self._encoded)
        parts = [
            self.model.predict_on_batch({name: array[start : start + PREDICT_ROWS] for name, array in inputs.items()})
            for start in range(0, len(self._encoded), PREDICT_ROWS)
        ]
        return np.concatenate(parts)
