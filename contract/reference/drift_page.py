"""A report of drift as a page."""

from collections.abc import Iterator, Sequence
from html import escape

from ekiben.contract.page import render_document, render_lines
from ekiben.contract.reference.alarms.alarm_text import describe_alarms
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.drift import DriftReport, Shift
from ekiben.contract.reference.drift_text import describe_moves, describe_shift, describe_snapshot

BARS = 26  # of a histogram: the hours of a day, the missing and one more; of more bins the largest are drawn
BAR, GAP, HEIGHT = 9, 6, 90
BODY = """\
{lines}
<h2>Alarms</h2>
{alarms}
<p class="soft"><span class="key then"></span> then, in training &nbsp; <span class="key now"></span> now</p>
<h2>Answers</h2>
<div class="cards">{answers}</div>
<h2>Features, the worst first</h2>
<div class="cards">{features}</div>"""


def render_page(report: DriftReport, alarms: AlarmReport) -> str:
    """Return the report as HTML; whatever names and values hold is text in it."""
    snapshot = report.snapshot
    body = BODY.format(
        lines=render_lines(describe_snapshot(snapshot)),
        alarms="".join(_render_alarms(alarms)),
        answers="".join(map(_render_card, report.answers)),
        features="".join(map(_render_card, report.features)),
    )
    return render_document(f"{snapshot.model} {snapshot.version}: now beside training", body)


def _render_alarms(report: AlarmReport) -> Iterator[str]:
    first, *findings = describe_alarms(report)
    yield f"<p>{escape(first)}</p>"
    alarms = len(report.alarms)
    yield from (f'<p class="large"><b>{escape(text)}</b></p>' for text in findings[:alarms])
    yield from (f'<p class="soft">{escape(text)}</p>' for text in findings[alarms:])


def _render_card(shift: Shift) -> str:
    summary, *others = describe_shift(shift)
    texts = "".join(f"<p>{escape(line)}</p>" for line in others)
    return (
        f'<section class="card {shift.verdict}"><h3>{escape(shift.then.name)}</h3><p><b>{escape(summary)}</b></p>'
        f"{texts}{_draw(shift)}{_render_moves(shift)}</section>"
    )


def _render_moves(shift: Shift) -> str:
    moves = describe_moves(shift)
    if not moves:
        return ""
    effect = "<th>answers there</th>" if shift.then.effects else ""
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in move) + "</tr>" for move in moves)
    return f"<table><tr><th></th><th>then</th><th>now</th>{effect}</tr>{rows}</table>"


def _draw(shift: Shift) -> str:
    """Return the histogram: two bars for each bin, as high as its share of the rows."""
    shown = _choose_bars(shift)
    labels, then = shift.then.labels, shift.then.shares
    now = [before + change for before, change in zip(then, shift.moved, strict=True)]
    highest = max(max(then[index], now[index]) for index in shown) or 1.0
    step = 2 * BAR + GAP
    bars = "".join(
        _draw_bin(position * step, labels[index], then[index], now[index], HEIGHT / highest)
        for position, index in enumerate(shown)
    )
    width = len(shown) * step
    base = f'<line class="base" x1="0" y1="{HEIGHT}" x2="{width}" y2="{HEIGHT}"></line>'
    name = escape(f"{shift.then.name}: the share of the rows in each bin, then and now", quote=True)
    box = f'viewBox="0 0 {width} {HEIGHT + 1}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{name}">{bars}{base}</svg>{_label_ends(labels, shown)}'


def _draw_bin(left: int, label: str, then: float, now: float, scale: float) -> str:
    title = escape(f"{label}: {then:.1%} then, {now:.1%} now")
    return f"<g><title>{title}</title>{''.join(_draw_bars(left, then, now, scale))}</g>"


def _draw_bars(left: int, then: float, now: float, scale: float) -> Iterator[str]:
    for kind, x, share in (("then", left, then), ("now", left + BAR, now)):
        height = share * scale
        yield f'<rect class="{kind}" x="{x}" y="{HEIGHT - height:.2f}" width="{BAR}" height="{height:.2f}"></rect>'


def _choose_bars(shift: Shift) -> list[int]:
    """Return the bins that are drawn, in their order: those with the most rows then or now.

    That of missing values, and that of categories never seen, only if there are any.
    """
    then = shift.then.shares
    sizes = [max(share, share + change) for share, change in zip(then, shift.moved, strict=True)]
    drawn = [index for index, size in enumerate(sizes) if size or index not in shift.then.special]
    largest = sorted(drawn, key=lambda index: -sizes[index])[:BARS]
    return sorted(largest)


def _label_ends(labels: Sequence[str], shown: Sequence[int]) -> str:
    ends = "".join(f"<span>{escape(labels[index])}</span>" for index in (shown[0], shown[-1]))
    more = f'<p class="soft">the {BARS} largest of {len(labels)} bins</p>' if len(shown) == BARS < len(labels) else ""
    return f'<div class="ends soft">{ends}</div>{more}'
