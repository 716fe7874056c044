"""As what to read a column, and what is doubtful about that."""

from dataclasses import dataclass

import pyarrow.compute as pc

from ekiben.contract.feature import EXCEL, TICKS
from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.validation import show
from ekiben.training.proposal.candidates import CENTURY, FIRST_DAY, LAST_DAY
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.counts import read_as_counts
from ekiben.training.proposal.doubts.beside import find_beside
from ekiben.training.proposal.doubts.exactness import find_indistinct
from ekiben.training.proposal.markers import find_markers
from ekiben.training.proposal.marks import Mark, choose_mark
from ekiben.training.proposal.names import is_day, is_duration, is_moment
from ekiben.training.proposal.reading import Reading
from ekiben.training.tables.date_formats import choose_format, find_twins

MIXED_SHARE = 0.02  # of the distinct values can't be read: a number or a date with something strange in it
KNOWN_SHARE = 0.5  # of the rows are numbers, say, so that the others are strange
_EXPECTED = {"number": "numbers", "timestamp": "dates", "boolean": "true and false"}


@dataclass(frozen=True)
class Choice:
    """The reading of a column, None as a category, and what else its problem file says."""

    reading: Reading | None
    remark: str = ""
    null: tuple[str, ...] = ()  # strings that stand for missing


def choose_reading(column: Column, usual: Mark = ".") -> Choice:
    """Return as what to read a column; `usual` is the decimal mark of the table's other columns."""
    fitting = [reading for reading in column.readings if reading.fits]
    if fitting:
        return _choose_fitting(fitting, column, usual)
    marked = [(reading, null) for reading in column.readings if (null := find_markers(column, reading))]
    if not marked:
        return Choice(None)
    null = marked[0][1]
    choice = _choose_fitting([reading for reading, markers in marked if markers == null], column, usual)
    rows = sum(marked[0][0].unparsed.values())
    told = f"{', '.join(map(show, null))} in {rows:,} {'row' if rows == 1 else 'rows'} read as missing"
    return Choice(choice.reading, ", ".join(filter(None, (choice.remark, told))), null) if choice.reading else choice


def find_strange(column: Column) -> tuple[str, float]:
    """Return "86% numbers, but also 'abc' in row 17" if that is what a column holds, and how much of it is strange."""
    if any(reading.fits or find_markers(column, reading) for reading in column.readings) or not column.readings:
        return "", 0.0
    best = min(column.readings, key=lambda reading: reading.missed)
    known = 1 - best.missed / column.values
    if known < KNOWN_SHARE and column.is_text:
        return "", 0.0
    value, row = best.first_unparsed
    what = "times of day" if is_clock(best.spelling.format) else _EXPECTED[best.kind]
    return f"{min(known, 0.99):.0%} {what}, but also {show(value)} in row {row:,}", len(best.unparsed) / len(
        column.distinct
    )


def _choose_fitting(fitting: list[Reading], column: Column, usual: Mark) -> Choice:
    numbers = [reading for reading in fitting if reading.kind == "number" and not reading.spelling.format]
    durations = [reading for reading in fitting if reading.kind == "number" and reading.spelling.format]
    dates = [reading for reading in fitting if reading.kind == "timestamp"]
    if durations and not numbers and (not dates or is_duration(column.name)):
        return Choice(durations[0], "a duration in seconds" + _explain_colon(column))
    if dates and (not numbers or (numbers[0].low >= FIRST_DAY and numbers[0].high <= LAST_DAY)):
        return _choose_date(dates, column, bool(durations))
    if not numbers:
        return Choice(fitting[0])
    if column.is_text and pc.any(pc.match_substring_regex(column.distinct, r"^\s*0\d+\s*$")).as_py():
        return Choice(None, "codes: some begin with 0")
    number, remark = choose_mark(numbers, column, usual)
    return _choose_number(number, remark, column)


def _choose_number(number: Reading, remark: str, column: Column) -> Choice:
    if counted := read_as_counts(number, column):
        by = ", by the name and the range" if is_moment(column.name) or is_day(column.name) else ", by the range"
        return Choice(counted, _name_count(counted.spelling.format) + by)
    is_category, indistinct = find_indistinct(number, column)
    remark = ", ".join(filter(None, (remark, find_beside(column), indistinct)))
    return Choice(None if is_category else number, remark)


def _choose_date(dates: list[Reading], column: Column, may_be_duration: bool) -> Choice:
    if not column.is_text:
        return Choice(dates[0])
    formats = list(dict.fromkeys(reading.spelling.format for reading in dates))
    format, is_doubtful = choose_format(formats, column.distinct)
    twins = {other: next(r for r in dates if r.spelling.format == other) for other in formats}
    ordered = [other for other, reading in twins.items() if reading.is_in_order]
    remarks = []
    if is_doubtful and len(ordered) == 1:
        format, is_doubtful = ordered[0], False
        remarks.append(f"the {_name_first(format)} first, because the rows are then in order")
    elif is_doubtful:
        remarks.append(f"the {_name_first(format)} first? the dates don't tell")
    elif against := _find_evidence(format, column):
        remarks.append(f"the {_name_first(format)} first, because {against[0]} stands in row {against[1]:,}")
    chosen = _choose_century([reading for reading in dates if reading.spelling.format == format])
    if chosen.spelling.first_year is not None:
        first = chosen.spelling.first_year
        remarks.append(f"years of two digits are read as {first} … {first + CENTURY - 1}")
    if is_clock(format):
        remarks.append(
            "a time of day" + ('; a duration is a number with format = "duration"' if may_be_duration else "")
        )
    return Choice(chosen, ", ".join(remarks))


def _explain_colon(column: Column) -> str:
    """Return how 8:30 is read if seconds stand nowhere."""
    one = pc.all(pc.equal(pc.count_substring(column.distinct, ":"), 1)).as_py()
    return f", {column.distinct[0].as_py()} as hours and minutes" if one else ""


def _choose_century(readings: list[Reading]) -> Reading:
    """Return the reading by which the rows are in order, or else that with the least between its first and last day."""
    return min(readings, key=lambda reading: (not reading.is_in_order, reading.high - reading.low))


def _find_evidence(format: str, column: Column) -> tuple[str, int] | None:
    """Return the value that can't be read with day and month the other way round, and its row."""
    twins = (column.against[twin] for twin in find_twins(format) if twin in column.against)
    return next(twins, None)


def _name_first(format: str) -> str:
    return "month" if format.startswith("%m") else "day"


def _name_count(format: str) -> str:
    if format == EXCEL:
        return "days since 1900, as Excel counts them"
    return {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[
        TICKS[format]
    ] + " since 1970"
