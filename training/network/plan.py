"""How a table is fitted, which follows from how many rows it has."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ekiben.training.network.architecture import Shape, Tower

BINS = 16
MAX_BINNED_INPUTS = 64
FEW_EPOCHS = 10  # of which the last is kept: the learning rate fell to zero for it
MIN_PATIENCE = 3  # epochs without a better validation loss before the fit ends
PATIENCE_SHARE = 0.15  # of the epochs planned, if those are more
FEW_COPIES_FROM = 25_000  # rows
BLOCK_STEPS = 16  # that TensorFlow takes by itself


@dataclass(frozen=True)
class FitOptions:
    """What a training run can be told; the rest follows from the table."""

    seed: int = 0
    epochs: int | None = None
    by_time: bool = False  # the rows to validate and test on are later: numbers may leave their bins
    most_batch_rows: int | None = None  # that memory has room for


@dataclass(frozen=True)
class Plan:
    """What follows from the table.

    Where the last of few epochs is kept on later rows, nothing is chosen: one month says little of the next. A table of
    few epochs has rows enough: twice the time for the rows it is validated on too is little gained.
    """

    epochs: int
    batch_rows: int
    epoch_steps: int
    learning_rate: float
    weight_decay: float
    bins: int
    shape: Shape
    copies: int  # of each row, that a teacher answers; 0: no teacher
    chooses_epoch: bool
    chooses_towers: bool
    refits: bool  # what is packed to the validation rows too

    @property
    def steps(self) -> int:
        """How many there are in all epochs."""
        return self.epochs * self.epoch_steps

    @property
    def block_steps(self) -> int:
        """How many steps are taken at a time; an epoch has a multiple."""
        return min(BLOCK_STEPS, self.epoch_steps)

    @property
    def patience(self) -> int:
        """After how many epochs that are no better the fit ends: half as many where each has as many copies as rows."""
        share = PATIENCE_SHARE / 2 if self.copies else PATIENCE_SHARE
        return max(MIN_PATIENCE, int(self.epochs * share))

    def without_teacher(self) -> Self:
        """Return it without copies, for towers that no teacher teaches: a step has as many labelled rows as before."""
        return replace(self, copies=0, batch_rows=self.batch_rows // 2)


def plan_fit(rows: int, inputs: int, options: FitOptions, teachable: bool = False) -> Plan:
    """Return how a table of so many training rows and inputs is fitted; `teachable`: trees can learn it."""
    epochs = options.epochs or int(np.clip(round(1_000_000 / rows), 3, 100))
    few = epochs <= FEW_EPOCHS
    taught, chosen = teachable and not few, not (few and options.by_time)
    batch_rows = min(2 * (rows // 2 or 1), 2 * int(np.clip(2 ** round(np.log2(max(rows, 1) / 240)), 32, 8192)))
    batch_rows = min(batch_rows, options.most_batch_rows or batch_rows)
    steps = -(-rows // (batch_rows // 2 if taught else batch_rows))
    block = min(BLOCK_STEPS, steps)
    return Plan(
        epochs=epochs,
        batch_rows=batch_rows,
        epoch_steps=block * round(steps / block),
        learning_rate=1.5e-3,
        weight_decay=1e-2,
        bins=BINS if inputs <= MAX_BINNED_INPUTS else 0,
        shape=choose_shape(options.by_time, taught, chosen),
        copies=(3 if rows < FEW_COPIES_FROM else 1) if taught else 0,
        chooses_epoch=not few,
        chooses_towers=chosen,
        refits=not few,
    )


LEARNERS = tuple(map(Tower, (0.0, 0.1, 0.2, 0.4)))
PUPILS = (Tower(0.0, 0.4), Tower(0.05, 0.8), Tower(0.1, 0.4), Tower(0.2, 0.8))
ALL_KEPT = Shape(units=(64, 32), towers=tuple(Tower(dropout, reads="bins") for dropout in (0.15, 0.15, 0.3, 0.3)))


def choose_shape(by_time: bool, taught: bool, chosen: bool) -> Shape:
    """Return towers that differ in what is not the same for every table; where none is chosen of them, a few."""
    if not chosen:
        return ALL_KEPT
    if not by_time:
        return Shape(towers=LEARNERS + PUPILS) if taught else Shape()
    binned = (*LEARNERS[::2], *PUPILS[::2]) if taught else LEARNERS
    others = (*LEARNERS[1::2], *PUPILS[1::2]) if taught else binned
    return Shape(towers=(*binned, *(replace(tower, reads="line") for tower in others)))
