"""How far what a service saw has moved from what training saw; of a snapshot's counts alone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.snapshot import Snapshot
from ekiben.contract.reference.stability import (
    LARGE,
    MODERATE,
    Verdict,
    chance_level,
    population_stability_index,
)

SEVERITY: dict[Verdict, int] = {"stable": 0, "moderate": 1, "large": 2}


@dataclass(frozen=True)
class Shift:
    """One distribution then, in training, and now."""

    then: Distribution
    now: Distribution
    rows: int  # that were counted; now's counts are larger where each stands for several

    @cached_property
    def psi(self) -> float:
        """The population stability index; 0 while no row was counted."""
        return population_stability_index(*self._counts) if self.rows else 0.0

    @cached_property
    def chance(self) -> float:
        """What the index stays below, 99 times of 100, when nothing has moved."""
        then, now = self._counts
        return chance_level(then, now * self.rows // max(int(now.sum()), 1))

    @property
    def verdict(self) -> Verdict:
        """How much that is: by the index, unless chance alone explains it."""
        if self.psi < MODERATE or self.psi <= self.chance:
            return "stable"
        return "large" if self.psi >= LARGE else "moderate"

    @cached_property
    def moved(self) -> tuple[float, ...]:
        """By how much each bin's share of the rows has changed."""
        if not self.rows:
            return (0.0,) * len(self.then.counts)
        return tuple(now - then for then, now in zip(self.then.shares, self.now.shares, strict=True))

    @property
    def expected_change(self) -> float:
        """By how much the mean answer changes, if each bin's rows are answered as in training."""
        return sum(change * effect for change, effect in zip(self.moved, self.then.effects, strict=False))

    @property
    def reach(self) -> float:
        """How much of the answers is changed at all, whether or not it cancels out: what features are ranked by."""
        changes = zip(self.moved, self.then.effects, strict=False)
        return sum(abs(change * effect) for change, effect in changes) / 2

    @property
    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.then.counts), np.array(self.now.counts)


@dataclass(frozen=True)
class DriftReport:
    """What all windows of a snapshot show."""

    snapshot: Snapshot
    answers: tuple[Shift, ...]
    features: tuple[Shift, ...]  # the worst first


def report_drift(reference: Reference, snapshot: Snapshot) -> DriftReport:
    """Compare a snapshot's counts with the reference they were counted in."""
    names = {name for window in snapshot.windows for name in window.features}
    features = [
        _compare(then, snapshot, snapshot.add_up(then, "features")) for then in reference.distinct if then.name in names
    ]
    answers = [_compare(then, snapshot, snapshot.add_up(then, "answers")) for then in reference.answers]
    return DriftReport(snapshot, tuple(answers), tuple(sorted(features, key=_rank, reverse=True)))


def _compare(then: Distribution, snapshot: Snapshot, counts: tuple[int, ...]) -> Shift:
    return Shift(then, then.model_copy(update={"counts": counts, "span": None}), snapshot.counted)


def _rank(shift: Shift) -> tuple[int, float, float]:
    """What moves and matters comes first, then what moves."""
    return min(SEVERITY[shift.verdict], 1), shift.reach, shift.psi
