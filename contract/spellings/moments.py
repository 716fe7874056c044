"""Reads dates and times as seconds since 1970: ISO 8601, a format, or a count of seconds or days."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ekiben.contract.feature import COUNTS, EXCEL, TICKS
from ekiben.contract.spellings.calendar import SECONDS_PER_DAY, count_days, month_length
from ekiben.contract.spellings.formats import compile_format, is_clock
from ekiben.contract.spellings.months import MONTHS
from ekiben.contract.spellings.numbers import read_number
from ekiben.contract.spellings.spelling import FIRST_YEAR, PLAIN, Spelling

CLOCK_YEAR = 1900  # of a time of day, as `strptime` has it
CLOCK_SECOND: int = count_days(CLOCK_YEAR, 1, 1) * SECONDS_PER_DAY
FIRST_SECOND: int = count_days(1, 1, 1) * SECONDS_PER_DAY
LAST_SECOND: int = count_days(10_000, 1, 1) * SECONDS_PER_DAY - 1
EXCEL_EPOCH: int = count_days(1899, 12, 30) * SECONDS_PER_DAY
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.[0-9]+)?")
EPOCH, UTC_EPOCH, SECOND = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)


def read_moment(text: str, spelling: Spelling) -> int:
    """Return the second of a string without blanks around it; raise ValueError saying what was expected.

    What is not written in the format may be in ISO 8601, where that can't mean two things.
    """
    if spelling.format in COUNTS:
        seconds = _read_count(text, spelling)
    else:
        seconds = _read_format(text, spelling) if spelling.format else None
    if seconds is None and is_iso_read(spelling.format):
        seconds = _read_iso(text, spelling.zoned)
    if seconds is None and is_clock(spelling.format):
        seconds = _read_clock(text)
    if seconds is None:
        raise ValueError(f"expected {expect_moment(spelling)}")
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise ValueError("expected a date between the years 1 and 9999 in UTC")
    return seconds


def expect_moment(spelling: Spelling) -> str:
    """Return how a moment is to be written."""
    if spelling.format in COUNTS:
        return f"a number as {spelling.format} or an ISO 8601 date and time"
    if is_clock(spelling.format):
        return f"a time of day as {spelling.format}"
    iso = "an ISO 8601 date and time such as 2013-07-04T17:30:00"
    if not spelling.format:
        return iso
    return f"a date as {spelling.format}" + (f", or {iso}" if is_iso_read(spelling.format) else "")


def is_iso_read(format: str) -> bool:
    """Return whether ISO 8601 is read besides a format: not where its digits could be taken for those of the format."""
    year, month, day = (format.find(directive) for directive in ("%Y", "%m", "%d"))
    return "%Y%m%d" in format or not (0 <= year < day < month or "%d%m" in format or "%m%d" in format)


def write_moment(moment: datetime, format: str) -> str:
    """Return a moment as a caller may send it: in ISO 8601, or in the format where only that is read."""
    if is_iso_read(format):
        return moment.isoformat()
    return moment.strftime(format.replace("%Y", f"{moment.year:04}"))  # which has no zeros before the year 1000


def assemble(fields: Mapping[str, Any], first_year: int | None) -> tuple[Any, Any]:
    """Return the seconds and whether there is such a moment, of whole numbers or of arrays of them."""
    if "y" in fields:
        first = FIRST_YEAR if first_year is None else first_year
        year = first + (fields["y"] - first) % 100
    else:
        year = fields.get("Y", CLOCK_YEAR)
    month = fields.get("m", fields.get("month", 1))
    day, since_new_year = fields.get("d", 1), fields.get("j", 1)
    hour = fields["I"] % 12 + fields.get("p", 0) * 12 if "I" in fields else fields.get("H", 0)
    minute, second = fields.get("M", 0), fields.get("S", 0)
    of_day = hour * 3600 + minute * 60 + second
    exists = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= month_length(year, month))
    exists = exists & (of_day <= SECONDS_PER_DAY) & (minute < 60) & (second < 60) & (hour <= 24)
    exists = exists & (since_new_year >= 1) & (since_new_year <= 365 + month_length(year, 2) - 28)
    exists = exists & ((fields["I"] >= 1) & (fields["I"] <= 12) if "I" in fields else True)
    days = count_days(year, month, day) + since_new_year - 1
    return days * SECONDS_PER_DAY + of_day - fields.get("offset", 0), exists


def read_offset(text: str) -> int:
    """Return the seconds that a UTC offset such as +02:00 is ahead."""
    digits = text.strip("Zz+-").replace(":", "").ljust(6, "0")
    ahead = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    return -ahead if text.startswith("-") else ahead


def to_fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a format's groups hold as whole numbers; a month that is not known is 0."""
    fields: dict[str, Any] = {name: int(text) for name, text in found.items() if name in "YymdHIMSj"}
    for name, text in found.items():
        if name in "bB":
            fields["month"] = MONTHS.get(text.lower(), 0)
        elif name == "p":
            fields["p"] = int(text[0] in "pP")
        elif name == "z":
            fields["offset"] = read_offset(text)
    return fields


def _read_format(text: str, spelling: Spelling) -> int | None:
    found = compile_format(spelling.format).fullmatch(text)
    if not found or ("z" in found.groupdict()) != spelling.zoned:
        return None
    seconds, exists = assemble(to_fields(found.groupdict()), spelling.first_year)
    return int(seconds) if exists else None


def _read_count(text: str, spelling: Spelling) -> int | None:
    number = None if spelling.zoned else read_number(text, PLAIN)
    if number is None:
        return None
    return count_to_seconds(number, spelling.format)


def count_to_seconds(number: float, format: str) -> int:
    """Return the second that a number of seconds or of days stands for."""
    if format == EXCEL:
        return EXCEL_EPOCH + round(number * SECONDS_PER_DAY)
    return int(number // TICKS[format])


def _read_clock(text: str) -> int | None:
    """Return the second of a time of day as typed tables have it, such as 08:30:00.5."""
    found = _CLOCK.fullmatch(text)
    return CLOCK_SECOND + int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]) if found else None


def _read_iso(text: str, zoned: bool) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if (moment.tzinfo is not None) != zoned:
        want = "a UTC offset, such as +00:00 or Z" if zoned else "local time without a UTC offset"
        raise ValueError(f"expected {want}")
    return (moment - (UTC_EPOCH if zoned else EPOCH)) // SECOND
