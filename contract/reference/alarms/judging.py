"""Judges whole windows by training's: two in a row that are beyond its edges are an alarm, one is a note."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from ekiben.contract.reference.alarms.calibration import Calibration, Edge, Statistic
from ekiben.contract.reference.alarms.findings import AlarmReport, Finding, assign_pairs
from ekiben.contract.reference.alarms.setting import FALSE_ALARMS
from ekiben.contract.reference.alarms.statistics import Measured, measure_share
from ekiben.contract.reference.alarms.totals import Totals, total_windows
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.snapshot import LENGTHS, Snapshot, Window

MIN_WEIGHT = 0.05  # of what the strongest feature does to the answers: less doesn't matter
# Of what only these show, the shares of bins say what it does to the answers; of anything else the values are wrong.
MOVES: frozenset[Statistic] = frozenset({"drift", "jump", "mean"})
JUDGED = 3  # windows: the latest, the one before, and what that one jumped from
# Training rejects nothing, so there is nothing to learn: 1% of the values is a score of 2.
REJECTED = Edge(statistic="rejected", low=-5.3, high=-5.3, unit=0.5)


def report_alarms(
    reference: Reference, snapshot: Snapshot, now: datetime, false_alarms: float = FALSE_ALARMS
) -> AlarmReport:
    """Judge the latest window that is over, and the one before it."""
    calibration = reference.alarms
    if calibration is None:
        return AlarmReport(silence="no alarms: the model was trained before there were any, or on too few rows")
    if snapshot.span != calibration.span:
        return AlarmReport(silence=f"no alarms: they are of {calibration.span}, and these windows are {snapshot.span}")
    groups: dict[datetime, list[Window]] = {}
    for window in snapshot.windows:
        if window.start + LENGTHS[snapshot.span] <= now and (window.counted or window.rejected):
            groups.setdefault(window.start, []).append(window)
    if not groups:
        return AlarmReport(silence="no alarms yet: no whole day has been counted")
    latest = sorted(groups)[-JUDGED:]
    threshold = calibration.find_threshold(false_alarms)
    findings = judge(reference, calibration, [groups[start] for start in latest], threshold)
    ranked = sorted(findings, key=lambda one: (-(one.weight or 0.0), -one.score))
    least = MIN_WEIGHT * max((weigh(one) or 0.0 for one in reference.distinct), default=0.0)
    alarms = [one for one in ranked if one.lasting and (one.weight is None or one.weight >= least)]
    notes = [one for one in ranked if one not in alarms]
    return AlarmReport(latest[-1], threshold, tuple(alarms), tuple(notes), seasonal=calibration.time is not None)


def judge(
    reference: Reference, calibration: Calibration, groups: list[list[Window]], threshold: float
) -> list[Finding]:
    """Return what is beyond the edges in the last of the windows, each of which several processes have counted."""
    totals = total_windows(reference, groups)
    own = [*_judge_features(reference, calibration, totals, threshold), *_judge_rejected(reference, totals, groups)]
    found = [_mark(one, before, threshold) for one, before in own if one.score >= threshold]
    pairs = [_mark(one, before, threshold) for one, before in _judge_pairs(reference, calibration, totals)]
    ringing = [one for one in pairs if one.score >= threshold]
    return [*found, *assign_pairs(ringing, pairs, found)]


def weigh(distribution: Distribution) -> float | None:
    """Return how much a feature does to the answers: by how much a row's answer differs through it, on average."""
    if not distribution.effects:
        return None
    shares = zip(distribution.shares, distribution.effects, strict=True)
    return sum(share * abs(effect) for share, effect in shares)


def _judge_features(
    reference: Reference, calibration: Calibration, totals: Totals, threshold: float
) -> Iterator[tuple[Finding, float]]:
    """Yield each feature's worst statistic in the last window, and the worst score in the window before."""
    named = {one.name: one for one in reference.distinct}
    for watch in calibration.watches:
        then = named.get(watch.feature)
        if then is None or then.name not in totals.counts:
            continue
        measured = totals.measure_feature(then)
        edges = [edge for edge in watch.edges if edge.statistic in measured]
        if edges:
            worst, before = _find_worst(watch.feature, edges, measured)
            broken = any(
                measured[edge.statistic].score(edge)[-1] >= threshold for edge in edges if edge.statistic not in MOVES
            )
            weight = weigh(then) if broken else _weigh_move(then, totals.counts[then.name])
            yield replace(worst, weight=weight), before


def _judge_rejected(
    reference: Reference, totals: Totals, groups: list[list[Window]]
) -> Iterator[tuple[Finding, float]]:
    weights: dict[str, float | None] = {}
    for one in reference.distinct:
        weights.setdefault(one.column, weigh(one))
    for column in sorted({name for window in groups[-1] for name in window.rejected if name in weights}):
        rejected = np.array([float(sum(w.rejected.get(column, 0) for w in group)) for group in groups])
        measured: dict[Statistic, Measured] = {"rejected": measure_share(rejected, totals.rows + rejected)}
        worst, before = _find_worst(column, [REJECTED], measured)
        yield replace(worst, weight=weights[column]), before


def _judge_pairs(reference: Reference, calibration: Calibration, totals: Totals) -> Iterator[tuple[Finding, float]]:
    weights = {one.name: weigh(one) for one in reference.distinct}
    for pair in calibration.pairs:
        first, second = pair.features
        worst, before = _find_worst(first, [pair.edge], {"fit": totals.measure_pair(pair)})
        known = [weight for weight in (weights.get(first), weights.get(second)) if weight is not None]
        yield replace(worst, partner=second, weight=max(known, default=None)), before


def _find_worst(feature: str, edges: list[Edge], measured: Mapping[Statistic, Measured]) -> tuple[Finding, float]:
    scores = np.array([measured[edge.statistic].score(edge) for edge in edges])  # (edges, windows)
    worst = int(scores[:, -1].argmax())
    value = float(measured[edges[worst].statistic].values[-1])
    before = float(scores[:, -2].max()) if scores.shape[1] > 1 else 0.0
    return Finding(feature, edges[worst], value, float(scores[worst, -1]), None), before


def _mark(finding: Finding, before: float, threshold: float) -> Finding:
    return replace(finding, lasting=before >= threshold)


def _weigh_move(then: Distribution, counts: np.ndarray) -> float | None:
    """Return how much of the answers the move of the shares changes."""
    if not then.effects:
        return None
    moved = counts[-1] / max(counts[-1].sum(), 1) - np.array(then.shares)
    return float(np.abs(moved * np.array(then.effects)).sum() / 2)
