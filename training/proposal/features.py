"""Which columns could be features, as what, and why the others could not."""

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pyarrow.compute as pc

from ekiben.contract.validation import show
from ekiben.training.problem import NUL
from ekiben.training.proposal.column import FIRST_DAY, LAST_DAY, MAX_DISTINCT, Column, Reading
from ekiben.training.tables.conversion import has_text, to_strings
from ekiben.training.tables.date_formats import choose_format

MIXED_SHARE = 0.02  # of the distinct values can't be read: a number or a date with something strange in it
UNIQUE_SHARE = 0.95  # of the values differ: they name the rows
TEXT_CHARACTERS = 40  # on average: sentences
TEXT_SHARE = 0.5  # of such values differ
LISTED = 5  # values of a category
EPOCH = date(1970, 1, 1)
IDENTIFIERS = {"id", "ids", "key", "uuid", "guid", "index", "idx", "no", "nr", "number", "num", "code", "rowid", "row"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_EXPECTED = {"number": "numbers", "timestamp": "dates", "boolean": "true and false"}


@dataclass(frozen=True)
class Feature:
    """A column that could be a feature: what the problem file says of it, and a remark on that."""

    facts: dict[str, Any]
    remark: str
    reading: Reading | None  # None: a category


def classify_column(column: Column) -> Feature | str:
    """Return the feature a column could be, or why it can be none."""
    if not column.name:
        return "it has no name"
    if NUL in column.name:
        return "a NUL character is in its name: rename it"
    if not column.values:
        return "no row has a value"
    if not has_text(column.type):
        return f"it holds {column.type}, which no kind of feature does"
    if column.is_counted and len(column.distinct) == 1 and column.values == column.rows:
        return f"the same in all rows: {_show_values(column)}"
    if strange := find_strange(column):
        return f"mixed: {strange}"
    reading, remark = choose_reading(column)
    return find_identifier(column, reading) or find_nul(column, reading) or _describe(column, reading, remark)


def choose_reading(column: Column) -> tuple[Reading | None, str]:
    """Return as what to read a column, None as a category, and what is doubtful about that."""
    fitting = [reading for reading in column.readings if reading.fits]
    number = next((reading for reading in fitting if reading.kind == "number"), None)
    dates = [reading for reading in fitting if reading.kind == "timestamp"]
    if dates and (number is None or (number.low >= FIRST_DAY and number.high <= LAST_DAY)):
        return _choose_date(dates, column)
    if number and column.is_text and pc.any(pc.match_substring_regex(column.distinct, r"^\s*0\d+\s*$")).as_py():
        return None, "codes: some begin with 0"
    return number or next(iter(fitting), None), ""


def find_strange(column: Column) -> str:
    """Return "99% numbers, but also 'abc' in row 17" if that is what a column holds, or nothing."""
    if any(reading.fits for reading in column.readings):
        return ""
    for reading in column.readings:
        share = len(reading.unparsed) / len(column.distinct)
        if share <= MIXED_SHARE or not column.is_text:
            value, row = reading.first_unparsed
            almost = min(max(1 - share, 0.0), 0.99)
            return f"{almost:.0%} {_EXPECTED[reading.kind]}, but also {show(value)} in row {row:,}"
    return ""


def find_identifier(column: Column, reading: Reading | None) -> str:
    """Return why a column only names the rows, or nothing."""
    if reading is None:
        length = column.characters / column.values
        if length >= TEXT_CHARACTERS and column.share_distinct >= TEXT_SHARE:
            return f"free text, {length:.0f} characters on average"
        return "an identifier (nearly every value is another)" if column.share_distinct >= UNIQUE_SHARE else ""
    if reading.kind != "number" or not reading.whole:
        return ""
    is_permutation = column.is_counted and len(column.distinct) == column.values == reading.high - reading.low + 1
    if column.values > 1 and (reading.ones == column.values - 1 or is_permutation):
        return "a row number (every number from the first to the last stands there once)"
    words = [word.lower() for word in _WORD.findall(column.name)]
    if words and column.share_distinct >= UNIQUE_SHARE and {words[0], words[-1]} & IDENTIFIERS:
        return "an identifier, by its name (and nearly every value is another)"
    return ""


def find_nul(column: Column, reading: Reading | None) -> str:
    """Return which value of a category can't be told from another, or nothing."""
    if reading is not None or not column.is_text:
        return ""
    ending = column.distinct.filter(pc.ends_with(column.distinct, NUL))
    return f"{show(ending[0].as_py())} ends with a NUL character: remove it" if len(ending) else ""


def with_remark(feature: Feature, remark: str) -> Feature:
    """Return the feature with one more remark."""
    return replace(feature, remark=", ".join(filter(None, (feature.remark, remark))))


def _choose_date(dates: list[Reading], column: Column) -> tuple[Reading, str]:
    by_format = {reading.format: reading for reading in dates}
    if not column.is_text:
        return dates[0], ""
    chosen, is_doubtful = choose_format(list(by_format), column.distinct)
    order = "month" if chosen.startswith("%m") else "day"
    return by_format[chosen], f"the {order} first? the dates don't tell" if is_doubtful else ""


def _describe(column: Column, reading: Reading | None, remark: str) -> Feature:
    facts: dict[str, Any] = {"kind": reading.kind if reading else "category"}
    if reading and reading.format:
        facts["format"] = reading.format
    if reading and reading.zoned:
        facts["zoned"] = True
    if column.values < column.rows:
        facts["nullable"] = True
    missing = 1 - column.values / column.rows
    remarks = (_show_range(column, reading), f"{max(missing, 0.01):.0%} missing" if missing else "", remark)
    return Feature(facts, ", ".join(filter(None, remarks)), reading)


def _show_range(column: Column, reading: Reading | None) -> str:
    if reading is None:
        return _show_values(column)
    if reading.kind == "boolean":
        return ""
    if reading.kind == "number":
        return f"{reading.low:.6g} … {reading.high:.6g}"
    return " … ".join(str(EPOCH + timedelta(seconds=end)) for end in (reading.low, reading.high))


def _show_values(column: Column) -> str:
    if not column.is_counted:
        return f"more than {MAX_DISTINCT:,} values"
    if len(column.distinct) > LISTED:
        return f"{len(column.distinct):,} values"
    return ", ".join(sorted(map(show, to_strings(column.distinct).to_pylist())))
