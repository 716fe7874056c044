"""How good a model is, as a card shows it: all metrics, the slices, and the groups that are to be treated alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ekiben.contract.schema import Target
from ekiben.model.training_scores import TrainingScores
from ekiben.training.evaluate import headline
from ekiben.training.evaluate.coverage import describe_off
from ekiben.training.evaluate.fairness import RATES
from ekiben.training.evaluate.text import format_number

NOTHING = "–"
Group = Mapping[str, str | int | float | None]


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and their cells; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    words: bool = False  # not numbers: they are wrapped, and begin on the left


def tabulate_measures(target: Target, scores: TrainingScores) -> tuple[Table, ...]:
    """Return all metrics, those of the slices, and the rates of the groups."""
    every = Table("All test rows", ("metric", "value"), tuple((n, format_number(v)) for n, v in scores.scores.items()))
    slices = (
        _tabulate_slices(target, name, parts, scores.slice_rows.get(name, {})) for name, parts in scores.slices.items()
    )
    groups = (_tabulate_groups(target, name, compared) for name, compared in scores.fairness.items())
    periods = _tabulate_coverage(scores)
    return (every, *periods, *slices, *groups)


def describe_calibration(target: Target, scores: TrainingScores) -> Iterator[str]:
    """Yield how far what the model says of its own certainty can be believed."""
    if target.task == "regression":
        covered = scores.scores.get("interval_coverage")
        if covered is not None:
            yield f"The 80% prediction interval held {covered:.1%} of the test rows."
        yield from (f"{off}." for off in describe_off(scores.coverage, scores.coverage_by, "test row"))
        if scores.intervals:
            yield scores.intervals
        return
    error = scores.scores.get("calibration_error")
    if error is not None:
        yield f"Probabilities were off by {format_number(error)} on average (expected calibration error)."
    scale, shift = scores.calibration
    yield (
        f"Log-odds times {scale:.3f} plus {shift:+.3f} would fit the test rows best: 1 and 0 are a perfect fit, a "
        "factor below 1 is overconfidence."
    )


def _tabulate_coverage(scores: TrainingScores) -> Iterator[Table]:
    """Yield how often intervals held by period, if that is known."""
    if scores.coverage:
        cells = tuple(
            (
                part.name,
                f"{part.rows:,}",
                f"{part.share:.3f} ({part.low:.2f}–{part.high:.2f})",
                format_number(part.width),
            )
            for part in scores.coverage
        )
        yield Table(f"Intervals by {scores.coverage_by}", (scores.coverage_by, "rows", "covered", "width"), cells)


def _tabulate_slices(
    target: Target, name: str, parts: Mapping[str, Mapping[str, float]], rows: Mapping[str, int]
) -> Table:
    metrics = [metric for metric in headline(target) if any(metric in scored for scored in parts.values())]
    cells = tuple(
        (part, f"{rows[part]:,}" if part in rows else NOTHING, *(_format(scored.get(metric)) for metric in metrics))
        for part, scored in parts.items()
    )
    return Table(f"By {name}", (name, "rows", *metrics), cells)


def _tabulate_groups(target: Target, name: str, groups: Sequence[Group]) -> Table:
    columns = [column for rate in RATES for column in (rate.replace("_", " "), "ratio")]
    cells = []
    for group in groups:
        label = f"{group['group']}" if target.task == "binary" else f"{group['group']}, {group['selected']}"
        rates = (_format_interval(group, f"{rate}{kind}") for rate in RATES for kind in ("", "_ratio"))
        cells.append((label, f"{group['rows']:,}", *rates))
    return Table(f"Fairness by {name}", (name, "rows", *columns), tuple(cells))


def _format_interval(group: Group, name: str) -> str:
    value, low, high = (group.get(f"{name}{bound}") for bound in ("", "_low", "_high"))
    return NOTHING if value is None else f"{value:.3f} ({low:.2f}–{high:.2f})"


def _format(value: float | None) -> str:
    return NOTHING if value is None else format_number(value)
