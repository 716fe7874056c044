"""What a log says of intervals, for a terminal, for a browser and for a program."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from ekiben.contract.page import render_document, render_lines, render_table
from ekiben.contract.text_lines import align, printable
from ekiben.training.adaptation.adapt import Adaptation, find_objection
from ekiben.training.evaluate.coverage import describe, describe_off
from ekiben.training.evaluate.text import format_number
from ekiben.training.truth.tables import TextTable
from ekiben.training.wording import count


def render(found: Adaptation, form: str) -> str:
    """Return it in one of FORMATS."""
    return FORMATS[form](found)


def render_text(found: Adaptation) -> str:
    """Return it for a terminal."""
    table = tabulate(found)
    lines = [_title(found), *describe_all(found), "", *align(table.title, table.columns, table.cells)]
    return "\n".join(map(printable, lines))


def render_json(found: Adaptation) -> str:
    """Return everything, for programs."""
    known = asdict(found) | {"target": found.target.name, "objection": find_objection(found)}
    return json.dumps(known, indent=1, ensure_ascii=False)


def render_page(found: Adaptation) -> str:
    """Return it as one page without scripts; whatever names hold is text in it."""
    table = tabulate(found)
    drawn = render_table(table.title, table.columns, table.cells)
    return render_document(printable(_title(found)), "\n".join([render_lines(describe_all(found)), drawn]))


FORMATS: Mapping[str, Callable[[Adaptation], str]] = {"text": render_text, "html": render_page, "json": render_json}


def describe_all(found: Adaptation) -> Iterator[str]:
    """Yield what was replayed, what it had been worth, and the margin now."""
    replayed = found.replayed
    network = f"the network of version {found.trained}"
    yield f"{count(replayed.labels, 'label')} of answers by {network}; the champion is version {found.champion}"
    yield from describe_off([one.answered for one in replayed.periods], found.period, "labelled row")
    periods = count(len(replayed.periods), found.period)
    yield (
        f"80% was missed by {replayed.missed_answered:.1%} on average over {periods}; with a margin renewed where each "
        f"begins, by {replayed.missed_adapted:.1%}"
    )
    yield describe_margin(found)
    if objection := find_objection(found):
        yield f"no version is to be made of it: {objection}"
    yield from (f"note: {note}" for note in found.notes)


def describe_margin(found: Adaptation) -> str:
    """Return the margin that labels ask for now, beside the champion's."""
    unit = f" {found.target.unit}" if found.target.unit else ""
    return (
        f"bounds are to lie {_sign(found.replayed.margin)}{unit} farther out than training left them; the champion's "
        f"lie {_sign(found.margin)}{unit}, and its intervals are {format_number(found.width)}{unit} wide in the median"
    )


def say_moved(found: Adaptation) -> str:
    """Return what a version says of its intervals."""
    replayed, unit = found.replayed, f" {found.target.unit}" if found.target.unit else ""
    return (
        f"The network is version {found.trained}'s; its bounds were moved apart by {_sign(replayed.margin)}{unit}, by "
        f"{count(replayed.labels, 'label')} that came for its answers. Test rows were not measured again."
    )


def tabulate(found: Adaptation) -> TextTable:
    """Return a row for each period."""
    columns = ("", "labelled", "as answered", "width", "margin", "renewed", "width")
    cells = tuple(
        (
            one.answered.name, f"{one.answered.rows:,}", describe(one.answered), format_number(one.answered.width),
            _sign(one.margin), describe(one.adapted), format_number(one.adapted.width),
        )
        for one in found.replayed.periods
    )  # fmt: skip
    return TextTable(f"by {found.period}", columns, cells)


def _sign(number: float) -> str:
    return ("+" if number >= 0 else "") + format_number(number)


def _title(found: Adaptation) -> str:
    return f"{found.model}: intervals of `{found.target.name}` by its labels"
