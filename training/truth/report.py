"""Live scores for a terminal, for a browser and for a program."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from html import escape

from ekiben.training.truth.live_scores import LiveScores
from ekiben.training.truth.tables import TextTable, describe, tabulate
from ekiben.training.wording import printable

STYLE = """body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin-top: .4rem } .wide { overflow-x: auto }
th, td { text-align: right; padding: .15rem .8rem; border-bottom: 1px solid #d5dae0; white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0 } th { color: #59636e; font-weight: normal }
td { font-variant-numeric: tabular-nums }"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>"""


def render(live: LiveScores, form: str) -> str:
    """Return the scores in one of FORMATS."""
    return FORMATS[form](live)


def render_text(live: LiveScores) -> str:
    """Return the scores for a terminal; a name in them can't make a line of its own."""
    lines = [_title(live), *describe(live)]
    for table in tabulate(live):
        lines += ["", *_align(table)]
    return "\n".join(map(printable, lines))


def render_json(live: LiveScores) -> str:
    """Return everything, for programs."""
    packed = live.training.model_dump() if live.training else None
    known = asdict(live) | {"target": live.target.name, "task": live.target.task, "training": packed}
    return json.dumps(known, indent=1, ensure_ascii=False)


def render_page(live: LiveScores) -> str:
    """Return the scores as one page without scripts; whatever names hold is text in it."""
    title = escape(_title(live))
    lines = "\n".join(f"<p>{escape(line)}</p>" for line in describe(live))
    return PAGE.format(title=title, style=STYLE, body="\n".join([lines, *map(_render_table, tabulate(live))]))


FORMATS: Mapping[str, Callable[[LiveScores], str]] = {"text": render_text, "html": render_page, "json": render_json}


def _title(live: LiveScores) -> str:
    return f"{live.model}: live scores of `{live.target.name}`"


def _align(table: TextTable) -> list[str]:
    rows = [(table.title, *table.columns[1:]), *table.cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _render_table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.cells)
    return f'<h2>{escape(table.title)}</h2><div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
