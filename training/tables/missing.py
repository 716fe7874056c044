"""What is said of a table that lacks a column."""

from collections.abc import Sequence

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten, suggest

_SHOWN = 20  # columns that an error lists


def describe_absent(description: str, name: str, columns: Sequence[str]) -> str:
    """Return that a table has no column of that name, and which it has instead."""
    more = f", … ({len(columns):,} in all)" if len(columns) > _SHOWN else ""
    there = ", ".join(columns[:_SHOWN]) + more
    return printable(f"{description} has no column `{shorten(name)}`{suggest(name, columns)}; it has: {there}")
