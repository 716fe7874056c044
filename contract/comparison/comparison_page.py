"""A comparison as a page."""

from html import escape

from ekiben.contract.comparison.comparison_text import describe, describe_decision, name_comparison, tabulate
from ekiben.contract.comparison.differences import describe_difference, name_bins
from ekiben.contract.comparison.judgement import Judgement
from ekiben.contract.page import render_document, render_lines, render_table

BAR, GAP, HEIGHT = 40, 6, 90
CLASSES = {"better": "", "worse": "large", "no evidence yet": "moderate"}


def render_page(judgement: Judgement) -> str:
    """Return the comparison as HTML; whatever names and values hold is text in it."""
    decision = f'<p class="{CLASSES[judgement.decision]}"><b>{escape(describe_decision(judgement))}</b></p>'
    histogram, *slices = (render_table(*table) for table in tabulate(judgement))
    body = "\n".join([decision, render_lines(describe(judgement)), histogram, _draw(judgement), *slices])
    return render_document(name_comparison(judgement), body)


def _draw(judgement: Judgement) -> str:
    """Return the histogram of differences."""
    counts, names = judgement.total.differences, name_bins(judgement.comparison.edges)
    highest = max(counts) or 1
    step = BAR + GAP
    bars = "".join(
        f"<g><title>{escape(f'{name}: {rows:,} rows')}</title>{_draw_bar(index * step, HEIGHT * rows / highest)}</g>"
        for index, (name, rows) in enumerate(zip(names, counts, strict=True))
    )
    width = len(counts) * step
    base = f'<line class="base" x1="0" y1="{HEIGHT}" x2="{width}" y2="{HEIGHT}"></line>'
    label = escape(describe_difference(judgement.comparison.target), quote=True)
    box = f'viewBox="0 0 {width} {HEIGHT + 1}" preserveAspectRatio="none"'
    ends = "".join(f"<span>{escape(name)}</span>" for name in (names[0], names[-1]))
    return (
        f'<section class="card"><svg {box} role="img" aria-label="{label}">{bars}{base}</svg>'
        f'<div class="ends soft">{ends}</div></section>'
    )


def _draw_bar(left: int, height: float) -> str:
    return f'<rect class="now" x="{left}" y="{HEIGHT - height:.2f}" width="{BAR}" height="{height:.2f}"></rect>'
