"""What is learned of which rows: their labels, and, where there is a teacher, its answers on them and on copies."""

from dataclasses import dataclass

import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.training.network.architecture import Design
from ekiben.training.network.batches import TaughtRows
from ekiben.training.network.copies import copy_rows
from ekiben.training.network.teacher import LEAVES, Teacher, fit_teacher

COUNTED_ROWS = 1_000_000


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows, their labels, (rows,): 0 and 1, the positions of the classes, or numbers; and what each counts for.

    Without `weights`, (rows,), every row counts 1; without `groups`, (rows,), it belongs to no other.
    """

    encoded: Encoded
    labels: np.ndarray
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def shares(self) -> np.ndarray:
        """The weights, (rows,)."""
        if self.weights is None:
            return np.broadcast_to(np.float32(1), len(self.labels))
        return self.weights


def thin(rows: LabelledRows, most: int) -> LabelledRows:
    """Return at most so many of the rows, spread evenly."""
    every = slice(None, None, -(-len(rows.labels) // most))
    weights, groups = (None if values is None else values[every] for values in (rows.weights, rows.groups))
    return LabelledRows(rows.encoded[every], rows.labels[every], weights, groups)


def join(first: LabelledRows, second: LabelledRows) -> LabelledRows:
    """Return the rows of both, whose groups are others."""
    parts = [first.encoded, second.encoded]
    encoded = Encoded(np.concatenate([part.numbers for part in parts]), np.concatenate([part.codes for part in parts]))
    weights = groups = None
    if first.weights is not None and second.weights is not None:
        weights = np.concatenate([first.weights, second.weights])
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, first.groups.max() + 1 + second.groups])
    return LabelledRows(encoded, np.concatenate([first.labels, second.labels]), weights, groups)


def scale_labels(design: Design, labels: np.ndarray) -> np.ndarray:
    """Return labels as the network learns them: a regression's on its scale, around 0."""
    if design.schema.target.task != "regression":
        return labels.astype(np.int32)
    return design.target.learn(labels).astype(np.float32)


def find_teacher(design: Design, rows: LabelledRows, seed: int, before: Teacher | None = None) -> Teacher:
    """Return a teacher of these rows' labels, as the network learns them; its trees are as large as those `before`."""
    labels, leaves = scale_labels(design, rows.labels), (before.leaves,) if before else LEAVES
    return fit_teacher(
        design.schema.target, rows.encoded, labels, rows.weights, seed, design.monotone, rows.groups, leaves
    )


def plan_lessons(
    design: Design, rows: LabelledRows, teacher: Teacher | None = None, copies: int = 0, seed: int = 0
) -> list[TaughtRows]:
    """Return the rows with their labels; with a teacher also its answers, and so many copies of each with these."""
    return [_label(design, rows)] if teacher is None else _teach(design, rows, teacher, copies, seed)


def _label(design: Design, rows: LabelledRows) -> TaughtRows:
    weights = rows.shares
    mean = weights[:: max(1, len(weights) // COUNTED_ROWS)].mean()  # in a file the others stay there

    def targets(positions: np.ndarray) -> np.ndarray:
        labels = scale_labels(design, rows.labels[positions])
        return np.stack([labels, weights[positions] / mean], axis=1, dtype=np.float32)

    return TaughtRows(rows.encoded, targets)


def _teach(design: Design, rows: LabelledRows, teacher: Teacher, copies: int, seed: int) -> list[TaughtRows]:
    labels = scale_labels(design, rows.labels)
    weights = rows.shares / rows.shares.mean()
    given = np.column_stack([labels, weights, weights, teacher.answers]).astype(np.float32)
    copied = copy_rows(rows.encoded, design.numbers, copies, np.random.default_rng(seed))
    no_labels = np.zeros((len(copied), 2))
    learned = np.column_stack([no_labels, np.tile(weights, copies), teacher.answer(copied)]).astype(np.float32)
    return [TaughtRows(rows.encoded, given.__getitem__), TaughtRows(copied, learned.__getitem__)]
