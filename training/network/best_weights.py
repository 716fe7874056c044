"""Follows a fit epoch by epoch: shows how it goes, ends it when it gets no better, and keeps the best weights.

What is scored, and kept, is the running mean of the weights.
"""

from collections.abc import Callable

import keras
import numpy as np
from tqdm import tqdm

from ekiben.training.calibration import find_margin
from ekiben.training.evaluate.regression import WANTED_COVERAGE
from ekiben.training.network.architecture import Design, network_inputs
from ekiben.training.network.debiasing import find_shift
from ekiben.training.network.lessons import LabelledRows, scale_labels
from ekiben.training.network.links import LINEAR
from ekiben.training.network.losses import answer_towers, find_evidence, measure_loss, score_mean
from ekiben.training.network.members import choose_members
from ekiben.training.network.plan import Plan
from ekiben.training.network.weight_mean import WeightMean

PREDICT_ROWS = 8192


class BestWeights(keras.callbacks.Callback):
    """Shows one progress bar with the last epoch's validation scores, and restores the best of many epochs.

    `shares` are the towers' of the mean, (towers,). `interrupt` is called between blocks of batches: where the fit may
    be interrupted.
    """

    def __init__(self, design: Design, plan: Plan, rows: LabelledRows, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._target, self._scale, self._encoded = design.schema.target, design.target, rows.encoded
        self._labels, self._weights, self._rows = scale_labels(design, rows.labels), rows.shares, rows
        self._plan, self._interrupt = plan, interrupt
        towers = len(plan.shape.towers)
        self.shares = np.full(towers, 1 / towers)
        self._mean = WeightMean()
        self._bar = tqdm(total=plan.steps, desc="training", unit="batch")
        self._best_loss, self._best_epoch = np.inf, 0
        self._best_weights: list[np.ndarray] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update(self._plan.block_steps)
        self._mean.add(self.model, self._plan.block_steps)
        self._interrupt()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        with self._mean.put_into(self.model):
            self._follow(epoch, logs)

    def _follow(self, epoch: int, logs: dict[str, float] | None) -> None:
        """Score the weights, keep them if they are the best, and end the fit where nothing was better for long."""
        answers = answer_towers(self._target.task, self._predict())
        shares, loss = self._choose(answers)
        scores = {"val_loss": loss, **self._score(_mean(answers, shares))}
        if logs is not None:
            logs.update(scores)
        self._bar.set_postfix({name: f"{value:.4f}" for name, value in scores.items()})
        if not self._plan.chooses_epoch:
            self.shares = shares
        elif not self._best_weights or loss < self._best_loss:
            self._best_loss, self._best_epoch, self.shares = loss, epoch, shares
            self._best_weights = self.model.get_weights()
        elif epoch - self._best_epoch >= self._plan.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._bar.close()
        if self._best_weights:
            self.model.set_weights(self._best_weights)
        elif not self._plan.chooses_epoch:
            self._mean.keep_in(self.model)

    @property
    def steps(self) -> int:
        """How many were taken until the weights that are kept."""
        return (self._best_epoch + 1) * self._plan.epoch_steps if self._plan.chooses_epoch else self._plan.steps

    def correct_interval(self, by_time: bool) -> tuple[float, float]:
        """Return by how much the bounds must be moved apart so that they hold their share of validation rows.

        And by how much the value, so that it is the mean in the target's units.
        """
        outputs, labels = _mean(self._predict(), self.shares), self._labels
        outside = np.maximum(outputs[:, 1] - labels, labels - outputs[:, 2])
        margin = find_margin(outside, WANTED_COVERAGE, by_time, self._rows.weights)
        return margin, find_shift(self._scale, outputs[:, 0], labels, self._weights, by_time)

    def _score(self, mean: np.ndarray) -> dict[str, float]:
        """Return the task's metric, a regression's in the target's units."""
        if self._scale.link == LINEAR:
            return score_mean(self._target, self._labels, self._weights, mean)
        return score_mean(self._target, self._rows.labels, self._weights, self._scale.restore(mean))

    def _choose(self, answers: np.ndarray) -> tuple[np.ndarray, float]:
        """Return each tower's share of the mean, and its loss."""
        task = self._target.task
        if self._plan.chooses_towers:
            return choose_members(task, self._labels, self._weights, answers)
        evidence = self.shares @ find_evidence(task, self._labels, answers)
        return self.shares, float(measure_loss(task, self._labels, self._weights, evidence))

    def _predict(self) -> np.ndarray:
        inputs = network_inputs(self._encoded)
        parts = [
            self.model.predict_on_batch({name: array[start : start + PREDICT_ROWS] for name, array in inputs.items()})
            for start in range(0, len(self._encoded), PREDICT_ROWS)
        ]
        return np.concatenate(parts)


def _mean(answers: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the mean, (rows, outputs), of towers' answers, (rows, towers, outputs), by their shares."""
    return np.asarray(np.einsum("rto,t->ro", answers, shares))
