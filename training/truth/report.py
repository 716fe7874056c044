"""Live scores for a terminal, for a browser and for a program."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from ekiben.contract.page import render_document, render_lines, render_table
from ekiben.contract.text_lines import align, printable
from ekiben.training.truth.live_scores import LiveScores
from ekiben.training.truth.tables import describe, tabulate


def render(live: LiveScores, form: str) -> str:
    """Return the scores in one of FORMATS."""
    return FORMATS[form](live)


def render_text(live: LiveScores) -> str:
    """Return the scores for a terminal; a name in them can't make a line of its own."""
    lines = [_title(live), *describe(live)]
    for table in tabulate(live):
        lines += ["", *align(table.title, table.columns, table.cells)]
    return "\n".join(map(printable, lines))


def render_json(live: LiveScores) -> str:
    """Return everything, for programs."""
    packed = live.training.model_dump() if live.training else None
    known = asdict(live) | {"target": live.target.name, "task": live.target.task, "training": packed}
    return json.dumps(known, indent=1, ensure_ascii=False)


def render_page(live: LiveScores) -> str:
    """Return the scores as one page without scripts; whatever names hold is text in it."""
    tables = [render_table(table.title, table.columns, table.cells) for table in tabulate(live)]
    return render_document(_title(live), "\n".join([render_lines(describe(live)), *tables]))


FORMATS: Mapping[str, Callable[[LiveScores], str]] = {"text": render_text, "html": render_page, "json": render_json}


def _title(live: LiveScores) -> str:
    return f"{live.model}: live scores of `{live.target.name}`"
