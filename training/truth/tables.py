"""Live scores as tables of words: what the terminal and the page show alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ekiben.contract.schema import Target
from ekiben.training.evaluate import headline
from ekiben.training.evaluate.coverage import describe_off
from ekiben.training.evaluate.fairness import RATES, GroupRates, Interval, describe_unfair, name_group
from ekiben.training.evaluate.text import format_number
from ekiben.training.truth.live_scores import MIN_LABELLED, LiveScore, LiveScores
from ekiben.training.wording import count, format_share

NOTHING = "–"
ESTIMATED = "estimated"
LENGTHS = (("days", 86_400), ("hours", 3_600), ("minutes", 60))  # seconds


@dataclass(frozen=True)
class TextTable:
    """A title, the names of the columns, and their cells; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


def describe(live: LiveScores) -> Iterator[str]:
    """Yield what was logged, how much of it is labelled, and what had to be left out."""
    whole = live.whole
    labelled = f"{whole.labelled:,} of them labelled ({format_share(whole.coverage)})"
    yield f"{count(whole.rows, 'row')} from {live.first} to {live.last} UTC, {labelled}"
    if round(whole.stands_for) != whole.rows:
        yield f"by their sampling shares they stand for {whole.stands_for:,.0f} rows, and are weighted so"
    yield "versions: " + ", ".join(f"{version} ({count(rows, 'row')})" for version, rows in live.versions.items())
    if live.training:
        yield f"training's are those of {count(live.training.rows, 'test row')}, {live.training.tested}"
        if live.training.weight:
            yield f"training's rows count by `{live.training.weight}`, which no log holds: live rows do not"
    if live.whole.estimated:
        yield describe_misses(live)
    yield from describe_intervals(live)
    for feature, groups in live.fairness.items():
        yield from (f"fairness: {sentence}" for sentence in describe_unfair(feature, groups))
    yield from (f"note: {note}" for note in live.notes)


def describe_misses(live: LiveScores) -> str:
    """Return what estimates are, and how far they were off in the periods with enough labels."""
    what = f"{ESTIMATED}: of all rows, from the calibrated probabilities alone"
    first = next((name for name in headline(live.target) if name in live.misses), None)
    if first is None:
        return f"{what}; how far that is off is not known: no {live.period} has {MIN_LABELLED} labels"
    miss = live.misses[first]
    off = f"{format_number(miss.mean)} on average, {format_number(miss.largest)} at most"
    return f"{what}; in {count(miss.periods, live.period)} with labels it missed the {first} by {off}"


def describe_intervals(live: LiveScores) -> Iterator[str]:
    """Yield where intervals held more or less than promised, beyond chance."""
    covered = [part.covered for part in live.periods if part.covered]
    for off in describe_off(covered, live.period, "labelled row"):
        yield f"intervals: {off}; `ekiben recalibrate` moves them by what labels say"


def tabulate(live: LiveScores) -> Iterator[TextTable]:
    """Yield all metrics beside training's, the periods, and the slices of each feature."""
    yield _compare(live)
    shown = _choose_metrics(live)
    yield _tabulate_parts(f"by {live.period}", live.periods, shown, "estimated")
    for feature, parts in live.slices.items():
        yield _tabulate_parts(f"by {feature}", parts, shown, "training")
    for feature, groups in live.fairness.items():
        yield _tabulate_groups(live.target, f"fairness by {feature}", groups)


_COLUMNS = ("rows", "labelled", "lag")


def _compare(live: LiveScores) -> TextTable:
    training = live.training.scores if live.training else {}
    whole = live.whole
    names = list(dict.fromkeys([*whole.scores, *training, *whole.estimated]))
    columns = {"training": training, "live": whole.scores}
    if whole.estimated:
        misses = {name: miss.mean for name, miss in live.misses.items()}
        columns |= {ESTIMATED: whole.estimated, "missed by": misses}
    cells = tuple((name, *(_number(scores, name) for scores in columns.values())) for name in names)
    return TextTable("all rows", ("", *columns), cells)


def _choose_metrics(live: LiveScores) -> list[str]:
    """Return the few metrics of the task that any part has."""
    known = live.whole.scores.keys() | live.whole.estimated.keys()
    return [name for name in headline(live.target) if name in known]


def _tabulate_parts(
    title: str, parts: Sequence[LiveScore], metrics: Sequence[str], beside: Literal["estimated", "training"]
) -> TextTable:
    """Return a row for each part, and beside each metric what was estimated or what training had, if anything."""
    scored = [(part, {"estimated": part.estimated, "training": part.training}[beside]) for part in parts]
    paired = {metric for metric in metrics if any(metric in others for _, others in scored)}
    columns = [name for metric in metrics for name in ((metric, beside) if metric in paired else (metric,))]
    cells = []
    for part, others in scored:
        lag = NOTHING if part.lag_s is None else format_length(part.lag_s)
        row = [part.name, f"{part.rows:,}", format_share(part.coverage), lag]
        for metric in metrics:
            covered = part.covered if metric == "interval_coverage" else None
            number = _number(part.scores, metric)
            number += f" ({covered.low:.2f}–{covered.high:.2f})" if covered else ""
            row += [number, *([_number(others, metric)] if metric in paired else [])]
        cells.append(tuple(row))
    return TextTable(title, ("", *_COLUMNS, *columns), tuple(cells))


def _tabulate_groups(target: Target, title: str, groups: Sequence[GroupRates]) -> TextTable:
    """Return a row for each group: each rate, and its ratio to the largest group's, with their intervals."""
    columns = [column for name in RATES for column in (name.replace("_", " "), "ratio")]
    cells = [
        (
            name_group(target, group),
            f"{group.rows:,}",
            *(_interval(i) for name in RATES for i in (group.rates[name], group.ratios.get(name))),
        )
        for group in groups
    ]
    return TextTable(title, ("", "rows", *columns), tuple(cells))


def _interval(interval: Interval | None) -> str:
    return f"{interval.value:.3f} ({interval.low:.2f}–{interval.high:.2f})" if interval else NOTHING


def _number(scores: Mapping[str, float], name: str) -> str:
    return format_number(scores[name]) if name in scores else NOTHING


def format_length(seconds: float) -> str:
    """Return such as `3.2 days`."""
    unit, length = next((unit for unit in LENGTHS if seconds >= unit[1]), LENGTHS[-1])
    return f"{seconds / length:.1f} {unit}"
