"""Counts and sums of several windows, and the statistics that are measured of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ekiben.contract.reference.alarms.calibration import Pair, Statistic
from ekiben.contract.reference.alarms.statistics import (
    Floats,
    Measured,
    measure_drift,
    measure_fit,
    measure_jump,
    measure_mean,
    measure_share,
    measure_spread,
)
from ekiben.contract.reference.bins import CategoryBins
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.snapshot import Window


@dataclass(frozen=True)
class Totals:
    """What was counted in windows, in time order; of rows that stand for several each counts once."""

    rows: Floats  # (windows,) counted
    counts: Mapping[str, Floats]  # of each feature, (windows, bins)
    sums: Mapping[str, Floats] = field(default_factory=dict)  # of each number and pair, (windows, sums)

    def measure_feature(self, then: Distribution) -> dict[Statistic, Measured]:
        """Return the statistics of one feature."""
        counts = self.counts[then.name]
        rows = counts.sum(axis=1)
        measured: dict[Statistic, Measured] = {
            "drift": measure_drift(then.counts, counts),
            "jump": measure_jump(then.counts, counts),
            "missing": measure_share(counts[:, -1], rows),
        }
        if isinstance(then.bins, CategoryBins):
            measured["never seen"] = measure_share(counts[:, -2], rows)
        if then.name in self.sums:
            familiar, *_ = self.sums[then.name].T
            present = rows - counts[:, -1]
            measured["familiar"] = measure_share(familiar, present)
            measured["mean"] = measure_mean(self.sums[then.name][:, 1:], present)
            measured["spread"] = measure_spread(self.sums[then.name][:, 1:], present)
        return measured

    def measure_pair(self, pair: Pair) -> Measured:
        """Return how well two features fit."""
        sums = self.sums.get(pair.name)
        return measure_fit(np.full(len(self.rows), np.nan) if sums is None else sums[:, 0], self.rows, pair.deviation)


def total_windows(reference: Reference, groups: Sequence[Sequence[Window]]) -> Totals:
    """Return the totals of windows, each of which several processes have counted a part of."""
    counted = np.array([sum(window.counted for window in group) for group in groups], float)
    features = [one for one in reference.distinct if any(one.name in window.features for window in groups[-1])]
    counts, weights = {}, np.ones(len(groups))
    for one in features:
        empty = (0,) * len(one.counts)
        counts[one.name] = np.array([_add([w.features.get(one.name, empty) for w in group]) for group in groups])
        weights = counted / np.maximum(counts[one.name].sum(axis=1), 1)
        counts[one.name] *= weights[:, None]
    names = set.intersection(*(set(window.sums) for group in groups for window in group))
    sums = {name: np.array([_add([w.sums[name] for w in group]) for group in groups]) for name in sorted(names)}
    return Totals(counted, counts, {name: own * weights[:, None] for name, own in sums.items()})


def _add(parts: Sequence[Sequence[int]]) -> list[float]:
    return [float(sum(values)) for values in zip(*parts, strict=True)]
