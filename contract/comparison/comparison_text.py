"""A comparison in words and tables, for the terminal and the page."""

from collections.abc import Iterator
from typing import NamedTuple

from ekiben.contract.comparison.differences import FAR, describe_difference, name_bins
from ekiben.contract.comparison.evidence import ALPHA, MAX_MORE
from ekiben.contract.comparison.judgement import MIN_LABELS, Judgement
from ekiben.contract.comparison.parts import DROPPED
from ekiben.contract.schema import Target
from ekiben.contract.text_lines import align, printable

HELD = f"{1 - ALPHA:.0%} at any time"


class Table(NamedTuple):
    """A title, the names of columns, and rows of strings."""

    title: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


def name_comparison(judgement: Judgement) -> str:
    """Return the title."""
    one = judgement.comparison
    return f"{one.model}: version {one.challenger.version} in the shadow of version {one.champion.version}"


def describe_decision(judgement: Judgement) -> str:
    """Return the decision, and what it rests on."""
    loss, unit = name_loss(judgement.comparison.target)
    mean, low, high = judgement.gain
    labels = f"{judgement.labels:,} labels"
    if not judgement.labels:
        return "no evidence yet: no label has found its pair of answers"
    held = f"({_change(low)} to {_change(high)}, {HELD})"
    known = f"{judgement.decision}: its {loss} is {_change(mean, f' {unit}')} {held}, over {labels}"
    return f"{known}; {_describe_more(judgement)}" if judgement.decision == "no evidence yet" else known


def describe(judgement: Judgement) -> Iterator[str]:
    """Yield what was compared, what was not, and what it took."""
    total, target = judgement.total, judgement.comparison.target
    count = len(judgement.comparison.parts)
    processes = "one process" if count == 1 else f"{count} processes"
    when = f"from {total.since:%Y-%m-%d %H:%M} to {total.until:%Y-%m-%d %H:%M} UTC, of {processes}"
    yield f"{total.compared:,} of {total.answered:,} answered rows compared, {when}."
    for reason, rows in total.dropped.items():
        if rows:
            yield f"{rows:,} rows not compared: {DROPPED[reason]}."
    if total.compared:
        far = f"differ by more than {FAR:g} standard deviations"
        other = far if target.task == "regression" else "get another label"
        yield f"{total.disagreed:,} rows, {total.disagreed / total.compared:.2%}, {other}."
    if total.challenger.rows:
        champion, challenger = total.champion, total.challenger
        yield (
            f"The challenger takes {challenger.row_us:.2f} µs a row in batches of {challenger.batch_rows:,.0f}, the "
            f"champion {champion.row_us:.2f} in batches of {champion.batch_rows:,.0f}."
        )
    yield from _describe_labels(judgement)


def name_loss(target: Target) -> tuple[str, str]:
    """Return the loss that labels are judged by, and its unit."""
    return ("absolute error", "standard deviations") if target.task == "regression" else ("log loss", "nats")


def tabulate(judgement: Judgement) -> Iterator[Table]:
    """Yield the histogram of differences, and the disagreement by slice."""
    total, comparison = judgement.total, judgement.comparison
    bins = zip(name_bins(comparison.edges), total.differences, strict=True)
    histogram = tuple((name, f"{rows:,}", _share(rows, total.compared)) for name, rows in bins)
    yield Table(describe_difference(comparison.target), ("difference", "rows", "share"), histogram)
    apart = "far apart" if comparison.target.task == "regression" else "other label"
    for feature, names in comparison.slices.items():
        counted = total.slices[feature]
        cells = zip(names, counted.rows, counted.disagreed, strict=True)
        shown = tuple((name, f"{rows:,}", f"{of:,}", _share(of, rows)) for name, rows, of in cells if rows)
        yield Table(f"by {feature}", (feature, "rows", apart, "share"), shown)


def render_text(judgement: Judgement) -> str:
    """Return the comparison for a terminal."""
    lines = [name_comparison(judgement), describe_decision(judgement), *describe(judgement)]
    for table in tabulate(judgement):
        lines += ["", *align(*table)]
    return "\n".join(map(printable, lines))


def _change(gain: float, unit: str = "") -> str:
    return f"{abs(gain):.3g}{unit} {'larger' if gain < 0 else 'smaller'}"


def _describe_more(judgement: Judgement) -> str:
    if judgement.labels < MIN_LABELS:
        return f"from {MIN_LABELS} on it is estimated how many more will tell"
    if judgement.more is None:
        return f"{MAX_MORE:,} more that are like these would not tell"
    return f"about {_round(judgement.more):,} more labels will tell, if they are like these"


def _describe_labels(judgement: Judgement) -> Iterator[str]:
    labels = judgement.total.labels
    if not labels.received:
        return
    came = f"{labels.received:,} labels came, over all requests and replicas"
    yield f"{came}; {judgement.labels:,} found a pair of answers that is still kept."
    if labels.repeated:
        yield f"{labels.repeated:,} came for rows that had one: the first counts."
    if judgement.labels:
        loss, unit = name_loss(judgement.comparison.target)
        challenger = judgement.loss - judgement.gain.mean
        yield f"Over them the champion's {loss} is {judgement.loss:.4g}, the challenger's {challenger:.4g} {unit}."


def _share(rows: int, of: int) -> str:
    return f"{rows / of:.1%}" if of else ""


def _round(number: int) -> int:
    """Return a number with two digits that count."""
    return int(float(f"{number:.1e}"))
