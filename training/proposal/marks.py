"""Which mark parts the decimals of a column whose numbers could be read both ways."""

import re
from collections.abc import Iterable
from typing import Literal

from ekiben.training.proposal.column import Column
from ekiben.training.proposal.reading import Reading

Mark = Literal[".", ","]
NAMES = {".": "dot", ",": "comma"}
THOUSAND = 1000
SPREAD = 10  # times the least number is the greatest: few measured with three decimals are so far apart
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?")


def find_usual_mark(columns: Iterable[Column], is_split_at_semicolons: bool) -> Mark:
    """Return the decimal mark of most columns that can be read in one way only."""
    sure = [_find_sure_mark(column) for column in columns]
    commas, points = sure.count(","), sure.count(".")
    if commas == points:
        return "," if is_split_at_semicolons else "."
    return "," if commas > points else "."


def choose_mark(readings: list[Reading], column: Column, usual: Mark) -> tuple[Reading, str]:
    """Return which of the readings with a decimal point and a decimal comma, which both fit, is meant, and why."""
    found = {reading.spelling.decimal: reading for reading in readings}
    if len(found) < len(NAMES) or not column.is_text:
        return readings[0], ""
    strings = [text for value in column.distinct.to_pylist() for text in _NUMBER.findall(value)[:1]]
    marked = [text for text in strings if not text.isdecimal()]
    if not marked:
        return readings[0], ""
    mark: Mark = "," if "," in marked[0] else "."
    other: Mark = "," if mark == "." else "."
    thousands, decimals = f"{int(marked[0].replace(mark, '')):,}", marked[0].replace(mark, ".")
    if why := _explain_thousands(marked, strings, found[other], mark, usual):
        return found[other], f'{marked[0]} is read as {thousands}, as {why}; decimal = "{mark}" reads {decimals}'
    return found[mark], f'{marked[0]} is read with three decimals; decimal = "{other}" reads {thousands}'


def _explain_thousands(marked: list[str], strings: list[str], grouped: Reading, mark: Mark, usual: Mark) -> str:
    """Return why the mark parts thousands, or "" if it parts decimals; behind each stand three digits."""
    wholes = [int(text) for text in strings if mark not in text and text.isdecimal()]
    every = f"every {NAMES[mark]} has three digits behind it"
    if any(whole >= THOUSAND for whole in wholes):
        return ""
    if wholes:
        # Decimals that end with 0 would have been cut off, as those of the whole numbers were.
        is_sure = usual != mark or any(text.endswith("0") for text in marked)
        return f"{every}, and whole numbers below 1,000 stand beside" if is_sure else ""
    if mark == ",":
        return every if usual == "." else ""
    low = min(abs(grouped.low), abs(grouped.high)) or 1.0
    is_spread = max(abs(grouped.low), abs(grouped.high)) >= SPREAD * low
    return f"{every}, and other columns have a decimal comma" if usual == "," and is_spread else ""


def _find_sure_mark(column: Column) -> Mark | None:
    numbers = [reading for reading in column.readings if reading.kind == "number" and not reading.spelling.format]
    fitting = {reading.spelling.decimal for reading in numbers if reading.fits}
    if len(fitting) != 1 or not column.has_marks:
        return None
    return "," if fitting == {","} else "."
