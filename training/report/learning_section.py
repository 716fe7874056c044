"""The section on the learning curve."""

from collections.abc import Iterator

from ekiben.contract.page import render_lines
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.learning_curve import LearningCurve, Point
from ekiben.training.report.tables import Row, draw_line, render_rows, show, show_interval

UNKNOWN = "`ekiben report --learning-curve` fits networks to fewer rows and shows it here."


def render_curve(curve: LearningCurve | None) -> str:
    """Return what the curve says, the curve, and its numbers."""
    if curve is None:
        return render_lines([UNKNOWN])
    rows = [_show_point(curve, point) for point in curve.points]
    drawn = list({row.cells[0]: row for row in reversed(rows)}.values())[::-1]  # one of the halves
    label = f"{curve.metric} by training rows"
    ends = "".join(f"<span>{row.cells[0]}</span>" for row in drawn)
    card = f'<section class="card">{draw_line(drawn, label)}<div class="ends soft">{ends}</div></section>'
    return "\n".join(
        [render_lines(describe_curve(curve)), card, render_rows("", ("rows to train on", curve.metric), rows)]
    )


def describe_curve(curve: LearningCurve) -> Iterator[str]:
    """Yield whether more rows would help: only where the last step's gain is sure."""
    steps = " and ".join(show_interval(gain) for gain in curve.gains)
    name = curve.metric.replace("_", " ")
    if curve.more_would_help:
        yield f"More rows would help: from either half of the rows to all of them the {name} is better by {steps}."
    else:
        yield (
            f"That more rows would help is not sure: from either half of the rows to all of them the {name} is better "
            f"by {steps}."
        )


def _show_point(curve: LearningCurve, point: Point) -> Row:
    interval: Interval | None = point.scored.measure().get(curve.metric)
    value = point.scored.values.get(curve.metric)
    return Row((f"{point.rows:,}", show(value, interval)), value, interval)
