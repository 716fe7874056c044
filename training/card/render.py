"""A model card as Markdown and as a page; whatever names, values and people say is text in both."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from ekiben.contract.page import render_document, render_lines, render_table, render_words
from ekiben.contract.text_lines import printable
from ekiben.model.package import CARD_FILE
from ekiben.training.card.card import Card, Section
from ekiben.training.card.measures import Table

MARKDOWN_FILE = "card.md"
SPECIAL = re.compile(r"([\\`*_\[\]|~$<>&]|^[-+#=]|^\d+(?=[.)](?:\s|$)))")
BARE = re.compile(r"(https?|ftp|www)(?=[:.])", re.IGNORECASE)  # what some renderers make a link of


def write_card(folder: Path, card: Card) -> None:
    """Write both forms into a folder."""
    (folder / MARKDOWN_FILE).write_text(render_markdown(card), encoding="utf-8")
    (folder / CARD_FILE).write_text(render_page(card), encoding="utf-8")


def render_markdown(card: Card) -> str:
    """Return the card as Markdown."""
    blocks = [f"# {quote(card.title)}"]
    for section in card.sections:
        blocks += [f"## {quote(section.title)}", *map(quote, section.paragraphs)]
        for table in section.tables:
            blocks += [f"### {quote(table.title)}"] if table.title else []
            blocks.append("\n".join(_draw(table)))
    return "\n\n".join(blocks) + "\n"


def render_page(card: Card) -> str:
    """Return the card as one page without scripts that asks no other host for anything."""
    return render_document(printable(card.title), "\n".join(map(_render_section, card.sections)))


def quote(text: str) -> str:
    """Return text on one line in which Markdown finds nothing to mark up."""
    escaped = SPECIAL.sub(_escape, printable(text))
    return BARE.sub(lambda found: f"{found[0][0]}&#{ord(found[0][1])};{found[0][2:]}", escaped)


def _escape(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}&#{ord(found[0][-1])};" if found[0].isdigit() else f"\\{found[0]}"


def _draw(table: Table) -> Iterator[str]:
    columns = [quote(name) or " " for name in table.columns]
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in table.cells:
        yield f"| {' | '.join(map(quote, row))} |"


def _render_section(section: Section) -> str:
    lines = render_lines(map(printable, section.paragraphs))
    return f"<h2>{escape(section.title)}</h2>\n{lines}\n" + "\n".join(map(_render_table, section.tables))


def _render_table(table: Table) -> str:
    rows = [tuple(map(printable, row)) for row in table.cells]
    if table.words:
        return render_words(table.title, table.columns, rows)
    return render_table(table.title, table.columns, rows, "h3")
