"""Learns a reference's alarms: edges for every statistic of every feature, and one scale for all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.feature import Number
from ekiben.contract.reference.alarms.calibration import STEPS, Calibration, Watch
from ekiben.contract.reference.alarms.judging import weigh
from ekiben.contract.reference.alarms.statistics import Floats, measure_drift
from ekiben.contract.reference.alarms.sums import FamiliarValues, to_steps
from ekiben.contract.reference.alarms.totals import Totals
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema
from ekiben.training.checks.alarms.familiar import ValueCounts
from ekiben.training.checks.alarms.growth import Fold, Settled, cut_measured, settle
from ekiben.training.checks.alarms.pairs import choose_pairs
from ekiben.training.checks.alarms.windows import Windows, cut_windows

MAX_VALUES = 2**23  # that are looked at: of more, rows are left out evenly
MAX_SUMMED = 64  # numbers
KEPT_SCORES = 100


@dataclass(frozen=True)
class Rows:
    """Encoded rows in time order, with their bins."""

    encoded: Encoded
    bins: dict[str, NDArray[np.intp]]
    windows: Windows

    def count(self, then: Distribution) -> Floats:
        """Return how many rows of each window are in each bin, (windows, bins)."""
        size, windows = len(then.counts), self.windows.count
        cells = self.windows.of_row * size + self.bins[then.name]
        return np.bincount(cells, minlength=windows * size).reshape(windows, size).astype(float)


def learn_alarms(schema: Schema, reference: Reference, frame: pd.DataFrame, time: str | None) -> Reference:
    """Return the reference with what its table's windows did; as it was if the table is too small."""
    windows = cut_windows(frame, time, max(1, MAX_VALUES // len(schema.features)))
    if windows is None:
        return reference
    rows = _place(schema, reference, frame, windows)
    features = [one for one in reference.distinct if one.name in rows.bins]
    features.sort(key=lambda one: -(weigh(one) or 0.0))  # the summed and the paired are those that matter most
    numbers = [one.name for one in features if one.column in {f.name for f in schema.plain if isinstance(f, Number)}]
    columns = {feature.name: column for column, feature in enumerate(schema.plain)}
    summed = {name: rows.encoded.numbers[:, columns[name]] for name in numbers[:MAX_SUMMED]}
    watched = [_watch(then, rows, summed.get(then.name)) for then in features]
    sizes = {one.name: len(one.counts) for one in features}
    bins = {one.name: rows.bins[one.name] for one in features}
    paired = choose_pairs(bins, sizes, windows.of_row, windows.count, windows.cuts)
    scores = _score([*(settled for _, settled in watched), *([settled] for _, settled in paired)])
    calibration = Calibration(
        time=windows.time,
        windows=windows.count,
        watches=tuple(watch for watch, _ in watched),
        pairs=tuple(pair for pair, _ in paired),
        scores=tuple(scores[:KEPT_SCORES].round(3).tolist()),
        judged=len(scores),
    )
    return reference.model_copy(update={"alarms": calibration})


def _place(schema: Schema, reference: Reference, frame: pd.DataFrame, windows: Windows) -> Rows:
    """Encode rows, and find their bins as the service does."""
    encoded = Encoder(schema).encode(frame.iloc[windows.rows])
    counter = RowCounter(schema, reference.model_copy(update={"answers": (), "alarms": None}))
    places = [row for part in counter.place(encoded, np.empty((len(encoded), 0), np.float32)) for row in part]
    bins = {name: places[row] - start for name, (row, start, _) in counter.placed.items()}
    return Rows(encoded, bins, windows)


def _watch(then: Distribution, rows: Rows, values: NDArray[np.float32] | None) -> tuple[Watch, list[Settled]]:
    """Learn the edges of one feature; `values` are those of a number, and NaN where missing."""
    counts, windows = rows.count(then), rows.windows
    sums, watch, familiar = {}, Watch(feature=then.name), None
    if values is not None and not np.isnan(values).all():
        familiar = ValueCounts(values, windows.of_row, windows.count)
        centre, spread = float(np.nanmean(values, dtype=float)), float(np.nanstd(values, dtype=float))
        scale = spread if spread > 0 else max(abs(centre), 1.0)
        watch = Watch(feature=then.name, centre=centre, scale=scale, familiar=familiar.list_familiar())
        sums = {then.name: _sum_up(watch, values, windows)}
    measured = Totals(counts.sum(axis=1), {then.name: counts}, sums).measure_feature(then)
    if not watch.familiar:
        measured.pop("familiar", None)
    settled = []
    for statistic, own in measured.items():
        folds = cut_measured(own, windows.cuts)
        if statistic == "drift":
            folds = list(_fold_drift(counts, windows.cuts))
        elif statistic == "familiar" and familiar is not None:
            folds = familiar.fold(windows.cuts)
        settled.append(settle(statistic, own, folds))
    known = [one for one in settled if one is not None]
    return watch.model_copy(update={"edges": tuple(one.edge for one in known)}), known


def _sum_up(watch: Watch, values: NDArray[np.float32], windows: Windows) -> Floats:
    """Return the sums of each window, (windows, 3), as SumCounter makes them."""
    own = values[None]
    familiar = FamiliarValues([watch.familiar]).find(own)[0]
    steps = to_steps(own.copy(), np.array([[watch.centre]], np.float32), np.array([[STEPS / watch.scale]], np.float32))[
        0
    ]
    parts = [np.bincount(windows.of_row, part, minlength=windows.count) for part in (familiar, steps, steps * steps)]
    return np.stack(parts, axis=1)


def _fold_drift(counts: Floats, cuts: Sequence[tuple[int, int]]) -> Iterator[Fold]:
    """Yield the drift before and after each cut, against what was counted before it."""
    for cut, stop in cuts:
        measured = measure_drift(counts[:cut].sum(axis=0), counts[:stop])
        yield Fold(cut, measured[:cut], measured[cut:])


def _score(watched: Sequence[Sequence[Settled]]) -> Floats:
    """Return the highest score that each judged window shared with the one before it, the highest first.

    The maximum over all that is watched: with 20 features and 7 statistics, one alone that is right 99 times of 100
    would be wrong every day. What is in one list is one subject: its windows in a row may show in different statistics.
    """
    shared = []
    for cut in sorted({cut for subject in watched for settled in subject for cut in settled.scores}):
        subjects = [np.max([settled.scores[cut] for settled in subject], axis=0) for subject in watched if subject]
        scores = np.array(subjects)
        shared.append(np.minimum(scores[:, 1:], scores[:, :-1]).max(axis=0))
    return np.sort(np.concatenate([np.empty(0), *shared]))[::-1]
