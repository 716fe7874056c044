"""How good a service's answers were, as far as labels have come: by week or day, and by what a feature holds.

The metrics are training's own functions on the logged answers, so rows whose labels came get the scores that an
evaluation offline would give them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.log_columns import VERSION
from ekiben.contract.schema import Target
from ekiben.model.package import PackedModel
from ekiben.model.training_scores import Covered, TrainingScores
from ekiben.training.evaluate import slice_keys
from ekiben.training.evaluate.estimates import UNCHANGED, Calibration, estimate
from ekiben.training.evaluate.fairness import UNKNOWN, GroupRates, compare_groups
from ekiben.training.evaluate.slices import cut
from ekiben.training.truth.intervals import cover_rows, describe_unbounded, score_rows
from ekiben.training.truth.rows import LoggedRows

Period = Literal["week", "day"]
DAYS: Mapping[Period, int] = {"week": 7, "day": 1}
MONDAY = 3  # days that the epoch, a Thursday, lies behind one
MIN_LABELLED = 100  # rows of a period: of fewer the realised score is itself too uncertain to judge an estimate by
DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class LiveScore:
    """The rows of a period or a slice, and how good the labelled ones' answers were."""

    name: str
    rows: int
    stands_for: float  # rows answered, where the log holds a sample of them
    labelled: int
    lag_s: float | None  # the median, from answer to label; None where no label says when it came
    scores: Mapping[str, float]
    estimated: Mapping[str, float]  # of all rows, from calibrated probabilities alone; of a regression nothing
    estimated_labelled: Mapping[str, float]  # the same of the labelled rows, to be compared with `scores`
    training: Mapping[str, float]  # of training's test rows of the same slice
    covered: Covered | None = None  # how often the intervals of a regression held, with an interval of its own

    @property
    def coverage(self) -> float:
        """The share of the rows whose labels came."""
        return self.labelled / self.rows


@dataclass(frozen=True)
class Miss:
    """How far estimates of a metric were off."""

    mean: float
    largest: float
    periods: int  # in which it was measured


@dataclass(frozen=True)
class LiveScores:
    """The scores of all rows, of each period in order, and of each feature's values, the largest first."""

    model: str
    target: Target
    versions: Mapping[str, int]  # rows of each version of the model
    first: str  # the days of the first and the last answer, UTC
    last: str
    training: TrainingScores | None
    whole: LiveScore
    period: Period
    periods: tuple[LiveScore, ...]
    slices: Mapping[str, tuple[LiveScore, ...]]
    fairness: Mapping[str, tuple[GroupRates, ...]]  # by column, the largest group first
    misses: Mapping[str, Miss]  # how far the estimates of the periods were off, by metric
    notes: tuple[str, ...]


def score_live(
    model: PackedModel, rows: LoggedRows, period: Period, slices: Sequence[str], groups: Sequence[str]
) -> LiveScores:
    """Score a log's rows by `slices`, and compare `groups`: names of features that were read with them."""
    packed = model.training_scores
    days = rows.times // DAY_US
    everything = np.ones(len(days), bool)
    calibration = packed.calibration if packed else UNCHANGED
    periods = tuple(_score_periods(rows, days, DAYS[period], calibration))
    return LiveScores(
        model=model.name,
        target=rows.target,
        versions=dict(sorted(Counter(rows.versions.astype(str)).items())),
        first=name_day(int(days.min())),
        last=name_day(int(days.max())),
        training=packed,
        whole=score_part(rows, everything, "all", calibration, packed.scores if packed else {}),
        period=period,
        periods=periods,
        slices=_score_versions(model, rows, calibration)
        | {name: tuple(_score_slices(rows, name, calibration, packed)) for name in slices},
        fairness={name: tuple(_compare_groups(rows, name)) for name in groups},
        misses=dict(_measure_misses(periods)),
        notes=(*rows.notes, *_find_notes(model, rows)),
    )


def score_part(
    rows: LoggedRows, here: NDArray[np.bool_], name: str, calibration: Calibration, training: Mapping[str, float]
) -> LiveScore:
    """Score some of the rows, (rows,) of which are True."""
    labelled = here & rows.labelled
    known = np.flatnonzero(labelled)
    lags = rows.lags(here)
    return LiveScore(
        name=name,
        rows=int(here.sum()),
        stands_for=float((1 / rows.shares[here]).sum()),
        labelled=int(labelled.sum()),
        lag_s=float(np.median(lags)) if len(lags) else None,
        scores=score_rows(rows.target, rows, known) if len(known) else {},
        estimated=estimate(rows.target, rows.answers[here], calibration, rows.weigh(here)),
        estimated_labelled=estimate(rows.target, rows.answers[labelled], calibration, rows.weigh(labelled)),
        training=training,
        covered=cover_rows(rows, known, name),
    )


def _score_periods(
    rows: LoggedRows, days: NDArray[np.int64], length: int, calibration: Calibration
) -> Iterator[LiveScore]:
    firsts = find_first_days(days, length)
    for first in np.unique(firsts):
        yield score_part(rows, firsts == first, name_day(int(first)), calibration, {})


def find_first_days(days: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the first day of the period of each day, (rows,); weeks begin on Mondays."""
    offset = MONDAY if length > 1 else 0
    return (days + offset) // length * length - offset


def _score_versions(model: PackedModel, rows: LoggedRows, calibration: Calibration) -> dict[str, tuple[LiveScore, ...]]:
    """Return the scores of each version, where there are several; of training's only the packed one's are known."""
    versions = rows.versions.astype(str).to_numpy()
    known = {model.version: model.training_scores.scores} if model.training_scores else {}
    names = sorted(set(versions))
    parts = (score_part(rows, versions == name, name, calibration, known.get(name, {})) for name in names)
    return {VERSION: tuple(parts)} if len(names) > 1 else {}


def _score_slices(
    rows: LoggedRows, feature: str, calibration: Calibration, packed: TrainingScores | None
) -> Iterator[LiveScore]:
    names, slice_of, _ = cut(slice_keys(rows.features[feature]))
    known = packed.slices.get(feature, {}) if packed else {}
    for index, name in enumerate(names):
        shown = "(missing)" if name is None else name
        yield score_part(rows, slice_of == index, shown, calibration, known.get(shown, {}))


def _compare_groups(rows: LoggedRows, feature: str) -> list[GroupRates]:
    everything = np.ones(len(rows.times), bool)
    labels = rows.list_labels(UNKNOWN)
    return compare_groups(rows.target, labels, rows.answers, rows.features[feature], rows.weigh(everything))


def _measure_misses(periods: Sequence[LiveScore]) -> Iterator[tuple[str, Miss]]:
    """Yield by metric how far the estimates of labelled rows were from what came true, over periods with enough."""
    enough = [part for part in periods if part.labelled >= MIN_LABELLED]
    for name in enough[0].estimated_labelled if enough else ():
        pairs = [(part.estimated_labelled[name], part.scores[name]) for part in enough if name in part.scores]
        misses = [abs(estimated - realised) for estimated, realised in pairs]
        if misses:
            yield name, Miss(float(np.mean(misses)), max(misses), len(misses))


def _find_notes(model: PackedModel, rows: LoggedRows) -> Iterator[str]:
    if model.training_scores is None:
        yield f"{model.name} {model.version} was packed without training's scores: train it again to see them"
    if not rows.labelled.any():
        yield "no label has come yet"
    yield from describe_unbounded(rows)
    if rows.target.task == "regression":
        yield "of a regression nothing is estimated before labels come: its answers have no probability to be right"


def name_day(day: int) -> str:
    """Return a day since 1970 as it is written."""
    return (EPOCH + timedelta(days=day)).isoformat()
