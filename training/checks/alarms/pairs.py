"""Chooses pairs of features that belong together, and learns how well each pair of their bins fits."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.alarms.calibration import PMI_STEPS, Pair
from ekiben.contract.reference.alarms.statistics import Measured, measure_fit
from ekiben.training.checks.alarms.growth import Fold, Settled, settle

Bins = Mapping[str, NDArray[np.intp]]  # of each feature, the bin of each row
MAX_PAIRED = 32  # features
MAX_ROWS = 65_536  # that the mutual information is measured on
PARTNERS = 3  # of each feature are tried
MAX_PMI = 4.0  # one row in e⁴ = 55 of what chance makes, or as many times more: more extreme ones rest on few rows
MIN_QUALITY = 2.0  # rows paired by chance would have this score at least


def choose_pairs(
    bins: Bins, sizes: Mapping[str, int], of_row: NDArray[np.intp], windows: int, cuts: Sequence[tuple[int, int]]
) -> list[tuple[Pair, Settled]]:
    """Return for each feature the partner with which it would be missed most, if there is one."""
    best: dict[str, tuple[float, Pair, Settled]] = {}
    for first, second in _list_candidates(bins, sizes):
        cells = bins[first] * sizes[second] + bins[second]
        learned = _learn_pair((first, second), cells, (sizes[first], sizes[second]), of_row, windows, cuts)
        if learned is None or learned[0] < MIN_QUALITY:
            continue
        for name in (first, second):
            if name not in best or learned[0] > best[name][0]:
                best[name] = learned
    return list({pair.features: (pair, settled) for _, pair, settled in best.values()}.values())


def _list_candidates(bins: Bins, sizes: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the pairs with the most mutual information, PARTNERS for each feature."""
    names = list(bins)[:MAX_PAIRED]
    every = max(1, -(-len(next(iter(bins.values()), ())) // MAX_ROWS))
    information = np.full((len(names), len(names)), -np.inf)
    for i, first in enumerate(names):
        for j, second in enumerate(names[:i]):
            cells = bins[first][::every] * sizes[second] + bins[second][::every]
            joint = np.bincount(cells, minlength=sizes[first] * sizes[second]).reshape(sizes[first], -1)
            information[i, j] = information[j, i] = measure_information(joint)
    chosen = {
        tuple(sorted((i, int(j))))
        for i in range(len(names))
        for j in np.argsort(-information[i])[:PARTNERS]
        if information[i, j] > 0
    }
    return [(names[i], names[j]) for i, j in sorted(chosen)]


def measure_information(joint: NDArray[np.int64]) -> float:
    """Return the mutual information of a table of counts, in nats, less what chance makes of it.

    G. A. Miller, Note on the bias of information estimates, 1955.
    """
    rows = joint.sum()
    expected = np.outer(joint.sum(axis=1), joint.sum(axis=0)) / max(rows, 1)
    seen = joint > 0
    information = float((joint[seen] * np.log(joint[seen] / expected[seen])).sum() / max(rows, 1))
    free = (np.count_nonzero(joint.any(axis=1)) - 1) * (np.count_nonzero(joint.any(axis=0)) - 1)
    return information - free / (2 * max(rows, 1))


def _learn_pair(
    features: tuple[str, str],
    cells: NDArray[np.intp],
    shape: tuple[int, int],
    of_row: NDArray[np.intp],
    windows: int,
    cuts: Sequence[tuple[int, int]],
) -> tuple[float, Pair, Settled] | None:
    size = shape[0] * shape[1]
    joint = np.bincount(of_row * size + cells, minlength=windows * size).reshape(windows, size)
    table, deviation, missed = _learn_table(joint.sum(axis=0), shape)
    settled = settle("fit", _measure(joint, table, deviation), list(_fold(joint, shape, cuts)))
    if settled is None:
        return None
    pair = Pair(features=features, table=tuple(table.tolist()), deviation=deviation, edge=settled.edge)
    return missed / settled.edge.unit, pair, settled


def _learn_table(joint: NDArray[np.int64], shape: tuple[int, int]) -> tuple[NDArray[np.int64], float, float]:
    """Return how well each pair of bins fits, its deviation, and how much less it would be if both were unrelated."""
    table = joint.reshape(shape).astype(float)
    rows = max(table.sum(), 1.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    fit = np.clip(np.log((table + 1) / (expected + 1)), -MAX_PMI, MAX_PMI)
    mean = float((table * fit).sum() / rows)
    deviation = float(np.sqrt(max((table * fit**2).sum() / rows - mean**2, 0.0)))
    missed = mean - float((expected * fit).sum() / rows)
    return np.rint(fit.ravel() * PMI_STEPS).astype(np.int64), float(f"{deviation:.6g}"), missed


def _measure(joint: NDArray[np.int64], table: NDArray[np.int64], deviation: float) -> Measured:
    return measure_fit((joint @ table).astype(float), joint.sum(axis=1).astype(float), deviation)


def _fold(joint: NDArray[np.int64], shape: tuple[int, int], cuts: Sequence[tuple[int, int]]) -> Iterator[Fold]:
    for cut, stop in cuts:
        table, deviation, _ = _learn_table(joint[:cut].sum(axis=0), shape)
        measured = _measure(joint[:stop], table, deviation)
        yield Fold(cut, measured[:cut], measured[cut:])
