"""What is learned of which rows: their labels, and, where there is a teacher, its answers on them and on copies."""

from dataclasses import dataclass

import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Target
from ekiben.training.network.batches import TaughtRows
from ekiben.training.network.copies import copy_rows
from ekiben.training.network.scaling import NumberScale, TargetScale
from ekiben.training.network.teacher import fit_teacher


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows, their labels, (rows,): 0 and 1, the positions of the classes, or numbers; and what each counts for.

    Without `weights`, (rows,), every row counts 1.
    """

    encoded: Encoded
    labels: np.ndarray
    weights: np.ndarray | None = None

    @property
    def shares(self) -> np.ndarray:
        """The weights, (rows,) float32."""
        if self.weights is None:
            return np.broadcast_to(np.float32(1), len(self.labels))
        return self.weights


def scale_labels(target: Target, scale: TargetScale, labels: np.ndarray) -> np.ndarray:
    """Return labels as the network learns them: a regression's around 0."""
    if target.task != "regression":
        return labels.astype(np.int32)
    return ((labels - scale.centre) / scale.spread).astype(np.float32)


def plan_lessons(target: Target, scale: TargetScale, rows: LabelledRows) -> list[TaughtRows]:
    """Return the rows with their labels and weights, whose mean is 1."""
    weights = rows.shares
    mean = weights.mean()

    def targets(positions: np.ndarray) -> np.ndarray:
        labels = scale_labels(target, scale, rows.labels[positions])
        return np.stack([labels, weights[positions] / mean], axis=1, dtype=np.float32)

    return [TaughtRows(rows.encoded, targets)]


def plan_taught_lessons(
    target: Target, scale: TargetScale, rows: LabelledRows, numbers: NumberScale, copies: int, seed: int
) -> list[TaughtRows]:
    """Return the rows with a teacher's answers beside their labels, and copies with its answers alone."""
    labels = scale_labels(target, scale, rows.labels)
    weights = (rows.shares / rows.shares.mean()).astype(np.float32)
    teacher = fit_teacher(target, rows.encoded, labels, rows.weights, seed)
    given = np.column_stack([labels, weights, weights, teacher.answers]).astype(np.float32)
    copied = copy_rows(rows.encoded, numbers, copies, np.random.default_rng(seed))
    repeated = np.tile(weights, copies)
    nothing = np.zeros((len(copied), 2), np.float32)
    learned = np.column_stack([nothing, repeated, teacher.answer(copied)]).astype(np.float32)
    return [TaughtRows(rows.encoded, given.__getitem__), TaughtRows(copied, learned.__getitem__)]
