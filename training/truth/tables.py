"""Live scores as tables of words: what the terminal and the page show alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ekiben.training.evaluate import headline
from ekiben.training.evaluate.text import format_number
from ekiben.training.truth.live_scores import LiveScore, LiveScores
from ekiben.training.wording import count, format_share

NOTHING = "–"
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
    yield from (f"note: {note}" for note in live.notes)


def tabulate(live: LiveScores) -> Iterator[TextTable]:
    """Yield all metrics beside training's, the periods, and the slices of each feature."""
    yield _compare(live)
    shown = _choose_metrics(live)
    yield TextTable(f"by {live.period}", ("", *_COLUMNS, *shown), tuple(_show(part, shown) for part in live.periods))
    for feature, parts in live.slices.items():
        has_training = any(part.training for part in parts)
        columns = [name for metric in shown for name in ((metric, "training") if has_training else (metric,))]
        cells = tuple(_show(part, shown, has_training) for part in parts)
        yield TextTable(f"by {feature}", ("", *_COLUMNS, *columns), cells)


_COLUMNS = ("rows", "labelled", "lag")


def _compare(live: LiveScores) -> TextTable:
    training = live.training.scores if live.training else {}
    names = list(dict.fromkeys([*live.whole.scores, *training]))
    cells = tuple((name, _number(training, name), _number(live.whole.scores, name)) for name in names)
    return TextTable("all rows", ("", "training", "live"), cells)


def _choose_metrics(live: LiveScores) -> list[str]:
    """Return the few metrics of the task that any part has."""
    parts = [live.whole, *live.periods]
    wanted = headline(live.target)
    return [name for name in wanted if any(name in part.scores for part in parts)]


def _show(part: LiveScore, metrics: list[str], has_training: bool = False) -> tuple[str, ...]:
    lag = NOTHING if part.lag_s is None else format_length(part.lag_s)
    cells = [part.name, f"{part.rows:,}", format_share(part.coverage), lag]
    for name in metrics:
        cells.append(_number(part.scores, name))
        if has_training:
            cells.append(_number(part.training, name))
    return tuple(cells)


def _number(scores: Mapping[str, float], name: str) -> str:
    return format_number(scores[name]) if name in scores else NOTHING


def format_length(seconds: float) -> str:
    """Return such as `3.2 days`."""
    unit, length = next((unit for unit in LENGTHS if seconds >= unit[1]), LENGTHS[-1])
    return f"{seconds / length:.1f} {unit}"
