"""Alarms in words."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from ekiben.contract.reference.alarms.calibration import Statistic
from ekiben.contract.reference.alarms.findings import AlarmReport, Finding
from ekiben.contract.reference.alarms.statistics import MIN_SHARE

SEASONS = "training had no times of its rows: what a season does may be an alarm"


def describe_alarms(report: AlarmReport) -> Iterator[str]:
    """Yield what was judged and each alarm; then how many notes there are."""
    if report.start is None:
        yield report.silence
        return
    count = f"{len(report.alarms)} alarm{'s' * (len(report.alarms) != 1)}" if report.alarms else "no alarm"
    season = "" if report.seasonal else f"; {SEASONS}"
    yield f"{report.start:%Y-%m-%d} (UTC): {count}{season}"
    yield from (f"alarm: {describe_finding(one)}" for one in report.alarms)
    yield from (f"note: {describe_finding(one)}" for one in report.notes)


def describe_finding(finding: Finding) -> str:
    """Return which feature it is, what it shows, and what training's windows had."""
    show, words = _WORDS[finding.edge.statistic]
    low, high = show(finding.edge.low), show(finding.edge.high)
    before = high if finding.edge.statistic in ("drift", "jump", "rejected") else f"{low} to {high}"
    days = "" if finding.lasting else ", on this day only"
    name = f"{finding.feature} with {finding.partner}" if finding.partner else finding.feature
    return f"{name}: {words} {show(finding.value)}, in training's windows {before}{days}"


def list_findings(report: AlarmReport) -> dict[str, Any]:
    """Return the report as JSON has it."""
    return {
        "day": report.start and f"{report.start:%Y-%m-%d}",
        "silence": report.silence,
        "threshold": report.threshold,
        "alarms": [_list_one(one) for one in report.alarms],
        "notes": [_list_one(one) for one in report.notes],
    }


def _list_one(finding: Finding) -> dict[str, Any]:
    return {
        "feature": finding.feature,
        "partner": finding.partner,
        "statistic": finding.edge.statistic,
        "score": round(finding.score, 3),
        "effect": finding.weight,
        "windows": 2 if finding.lasting else 1,
        "text": describe_finding(finding),
    }


def to_share(log_odds: float) -> float:
    """Return the share that log odds were made of; of few rows nearly."""
    share = (1 + 2 * MIN_SHARE) / (1 + math.exp(-log_odds)) - MIN_SHARE
    return min(max(share, 0.0), 1.0)


def _show_share(value: float) -> str:
    return f"{to_share(value):.1%}"


def _show_index(value: float) -> str:
    return f"{max(value, 0.0) ** 2:.2f}"


_WORDS: dict[Statistic, tuple[Callable[[float], str], str]] = {
    "drift": (_show_index, "PSI against training"),
    "jump": (_show_index, "PSI against the window before"),
    "missing": (_show_share, "missing in"),
    "never seen": (_show_share, "never seen in"),
    "familiar": (_show_share, "values that training knew"),
    "rejected": (_show_share, "rejected values"),
    "mean": (lambda value: f"{value:+.2f}", "mean in standard deviations"),
    "spread": (lambda value: f"{math.exp(value):.2g}", "spread in standard deviations"),
    "fit": (lambda value: f"{value:.2f}", "values fit each other by"),
}
