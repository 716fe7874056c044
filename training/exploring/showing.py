"""How figures, tables and sentences stand in a notebook; names from a table are never markup there."""

import io
from collections.abc import Iterable
from html import escape

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten

PIXELS_PER_INCH = 160  # twice as many as a page shows: sharp on any screen
SHOWN_PER_INCH = 80
MAX_TABLE_ROWS = 40
SIGNIFICANT_DIGITS = 4
MARKUP = "\\`*_{}[]<>()#+-.!|&$~^:/"  # what Markdown, HTML or a formula may take for its own


def show(*things: "Figure | pd.DataFrame | str | None") -> None:
    """Display figures as pictures, tables as tables and strings as Markdown; None is nothing."""
    for thing in things:
        if isinstance(thing, str):
            display(Markdown(thing))
        elif isinstance(thing, pd.DataFrame):
            display(HTML(to_html(thing)))
        elif thing is not None:
            display(to_picture(thing))


def mark(name: object) -> str:
    """Return a name from a table as Markdown shows it letter by letter, in the font of code."""
    return f"<code>{spell(shorten(str(name)))}</code>"


def spell(sentence: str) -> str:
    """Return a string that may hold names from a table as Markdown shows it letter by letter."""
    return "".join(f"&#{ord(letter)};" if letter in MARKUP else letter for letter in printable(sentence))


def mark_all(names: Iterable[object], limit: int = 12) -> str:
    """Return names in a sentence, and how many more there are."""
    named = [mark(name) for name in names]
    more = f" and {len(named) - limit:,} more" if len(named) > limit else ""
    return ", ".join(named[:limit]) + more


def to_html(table: pd.DataFrame) -> str:
    """Return a table of its first rows as HTML in which every cell is text."""
    head = table.head(MAX_TABLE_ROWS)
    cells = "".join(f"<tr>{''.join(map(_to_cell, row))}</tr>" for row in head.itertuples(index=False, name=None))
    names = "".join(f'<th style="text-align: start">{escape(printable(str(name)))}</th>' for name in head.columns)
    more = f"<p>… and {len(table) - len(head):,} more rows</p>" if len(table) > len(head) else ""
    return f'<table class="dataframe"><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>{more}'


def to_picture(figure: Figure) -> Image:
    """Return a figure as PNG, twice as fine as it is shown, with its title for those who can't see it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
    width = round(figure.get_size_inches()[0] * SHOWN_PER_INCH)
    return Image(file.getvalue(), width=width, alt=name_figure(figure))


def name_figure(figure: Figure) -> str:
    """Return a figure's title, or that of its first chart."""
    return figure.get_suptitle() or next((axes.get_title() for axes in figure.axes if axes.get_title()), "a chart")


def _to_cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align: right">{"" if pd.isna(value) else f"{value:,.{SIGNIFICANT_DIGITS}g}"}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align: right">{value:,}</td>'
    if isinstance(
        value, list
    ):  # each of a direction of its own: one from right to left would take its neighbours along
        texts = ", ".join(f"<bdi>{escape(printable(str(one)))}</bdi>" for one in value)
    else:
        texts = escape(printable(str(value)))
    return f'<td dir="auto" style="text-align: start">{texts}</td>'
