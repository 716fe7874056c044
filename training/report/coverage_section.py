"""The section on intervals over time: whether the truth lies in them as often as promised, period by period."""

from collections.abc import Sequence
from html import escape

from ekiben.contract.page import render_lines
from ekiben.model.training_scores import Covered
from ekiben.training.evaluate.coverage import describe_off
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.evaluate.regression import WANTED_COVERAGE
from ekiben.training.evaluate.text import format_number
from ekiben.training.report.tables import Row, draw_line, render_rows, show

HOLDS = "No {period} is off beyond chance."
LINE = (
    "The line is drawn at 80%. In brackets are Wilson's 95% intervals, for rows that are independent; rows of one day "
    "often are not, and then vary more. After training, `ekiben score-live` reports the same of live answers, and "
    "`ekiben recalibrate` moves the intervals as labels come."
)


def render_coverage(period: str, parts: Sequence[Covered], what: str = "test row") -> str:
    """Return how often intervals held in each period of the rows called `what`, as a line and as a table."""
    said = [f"{off}." for off in describe_off(parts, period, what)] or [HOLDS.format(period=period)]
    rows = [show_period(part) for part in parts]
    drawing = draw_line(rows, f"interval coverage by {period}")
    ends = "".join(f"<span>{escape(part.name)}</span>" for part in (parts[0], parts[-1]))
    card = f'<section class="card">{drawing}<div class="ends soft">{ends}</div></section>' if drawing else ""
    table = render_rows("", (period, "rows", "interval width", "covered"), rows, WANTED_COVERAGE)
    return "\n".join([render_lines([*said, LINE]), card, table])


def show_period(part: Covered) -> Row:
    """Return a period as a row of a table."""
    interval = Interval(part.share, part.low, part.high)
    cells = (part.name, f"{part.rows:,}", format_number(part.width), show(part.share, interval))
    return Row(cells, part.share, interval)
