"""Tables with intervals, drawn on one axis beside the numbers; whatever names and values hold is text in them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ekiben.contract.text_lines import printable
from ekiben.training.card.measures import NOTHING
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.evaluate.text import format_number

WIDTH, HEIGHT, EDGE = 180, 15, 4  # of a drawn interval: as wide to high as its place in a table
LONG = 30  # characters of a name that is wrapped
MAX_DIGITS, LARGE = 6, 1e6  # of numbers that are written without an exponent
CURVE_WIDTH, CURVE_HEIGHT, CURVE_EDGE = 600, 104, 20


@dataclass(frozen=True)
class Row:
    """Cells of text, and what is drawn behind them: a value with its interval, if it has one."""

    cells: tuple[str, ...]
    value: float | None = None
    interval: Interval | None = None


def render_rows(title: str, columns: Sequence[str], rows: Sequence[Row], reference: float | None = None) -> str:
    """Return a table under a title; the drawn column is the last, with a line at the reference."""
    axis = find_axis(rows, reference)
    names = "".join(f"<th>{escape(printable(name))}</th>" for name in columns) + ("<th></th>" if axis else "")
    lines = (
        "".join(f"<td>{escape(printable(cell))}</td>" for cell in row.cells)
        + (f"<td>{draw_row(row, *axis, reference)}</td>" if axis else "")
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    heading = f"<h3>{escape(printable(title))}</h3>" if title else ""
    kind = "wide drawn long" if any(len(row.cells[0]) > LONG for row in rows) else "wide drawn"
    return f'{heading}<div class="{kind}"><table><tr>{names}</tr>{body}</table></div>'


def find_axis(rows: Iterable[Row], reference: float | None = None) -> tuple[float, float] | None:
    """Return from where to where the rows' intervals and the reference lie; None if nothing is drawn."""
    drawn = [row for row in rows if row.value is not None]
    if not drawn:
        return None
    values = [row.value for row in drawn if row.value is not None] + ([] if reference is None else [reference])
    values += [end for row in drawn if row.interval for end in (row.interval.low, row.interval.high)]
    return min(values), max(values)


def draw_row(row: Row, low: float, high: float, reference: float | None) -> str:
    """Return a row's interval as a line, and its value as a bar across."""
    if row.value is None:
        return ""
    middle, value = HEIGHT / 2, _place(row.value, low, high)
    shapes = []
    if reference is not None:
        line = _place(reference, low, high)
        shapes.append(f'<line class="base" x1="{line}" x2="{line}" y1="0" y2="{HEIGHT}"></line>')
    if row.interval:
        left, right = _place(row.interval.low, low, high), _place(row.interval.high, low, high)
        shapes.append(_draw_box("then", left, middle - 1, max(1, right - left), 2))
    shapes.append(_draw_box("now", value - 1.5, middle - 4, 3, 8))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{describe(row)}">{"".join(shapes)}</svg>'


def draw_line(rows: Sequence[Row], label: str) -> str:
    """Return values from left to right with their intervals, joined by a line."""
    axis = find_axis(rows)
    if axis is None or len(rows) < 2:
        return ""
    step = (CURVE_WIDTH - 2 * CURVE_EDGE) / (len(rows) - 1)
    points, shapes = [], []
    for index, row in enumerate(rows):
        x, y = CURVE_EDGE + index * step, _rise(row.value or 0.0, *axis)
        points.append(f"{x:g},{y:g}")
        if row.interval:
            top, bottom = _rise(row.interval.high, *axis), _rise(row.interval.low, *axis)
            shapes.append(_draw_box("then", x - 1, top, 2, max(1, bottom - top)))
        shapes.append(_draw_box("now", x - 4, y - 2, 8, 4))
    line = f'<polyline class="line" points="{" ".join(points)}"></polyline>'
    box = f'viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{escape(label, quote=True)}">{line}{"".join(shapes)}</svg>'


def _draw_box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"></rect>'


def describe(row: Row) -> str:
    """Return a value with its interval for who does not see it."""
    value = "" if row.value is None else format_number(row.value)
    if row.interval is None:
        return value
    return f"{value}, {format_number(row.interval.low)} to {format_number(row.interval.high)}"


def show(value: float | None, interval: Interval | None = None) -> str:
    """Return a value, with its interval in brackets: no more digits than two of the interval's half width."""
    if value is None:
        return NOTHING
    if interval is None:
        return format_number(value)
    width = interval.high - interval.low
    digits = 1 - math.floor(math.log10(width / 2)) if width > 0 else -1
    if not 0 <= digits <= MAX_DIGITS or abs(value) >= LARGE:
        return f"{format_number(value)} ({format_number(interval.low)} to {format_number(interval.high)})"
    texts = (f"{number:,.{digits}f}" for number in (value, interval.low, interval.high))
    return "{} ({} to {})".format(*(text if float(text.replace(",", "")) else text.removeprefix("-") for text in texts))


def show_interval(interval: Interval | None) -> str:
    """Return the value of an interval with the interval, if there is one."""
    return NOTHING if interval is None else show(interval.value, interval)


def _place(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(EDGE + share * (WIDTH - 2 * EDGE), 2)


def _rise(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(CURVE_HEIGHT - EDGE - share * (CURVE_HEIGHT - 2 * EDGE), 2)
