"""How names, shares and probabilities are written in a report."""

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten


def quote(name: str) -> str:
    """Return a column's name for a terminal: on one line, shortened, and no command to the terminal."""
    return f"`{printable(shorten(name))}`"


def format_rows(rows: int, of: int) -> str:
    """Return such as `3 of 5,000 rows (0.06%)`; without the share where `of` is 0."""
    return f"{rows:,} of {count(of, 'row')} ({format_share(rows / of)})" if of else count(rows, "row")


def count(number: int, noun: str) -> str:
    """Return such as `1 row` or `5,000 rows`."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def format_share(share: float) -> str:
    """Return a share in percent; only none is 0% and only all is 100%."""
    if 0 < share < 0.0001:
        return "< 0.01%"
    if 0.9999 < share < 1:
        return "> 99.99%"
    return f"{share:.1%}" if 0.01 <= share <= 0.99 else f"{share:.2%}".replace(".00%", "%")


def format_change(then: float, now: float) -> str:
    """Return such as `18.0% → 42.1%`."""
    return f"{format_share(then)} → {format_share(now)}"


def format_p_value(p_value: float) -> str:
    """Return such as `p = 0.003`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
