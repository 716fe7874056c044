"""Finds the format of dates and times that are not written as ISO 8601."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.formats import compile_format
from ekiben.contract.spellings.spelling import Spelling
from ekiben.training.tables.dates import read_timestamps

ISO = ""
DIGITS_ONLY = "%Y%m%d"
DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", DIGITS_ONLY),
    *("%d-%b-%Y", "%d/%b/%Y", "%d %b %Y", "%d %B %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    *(
        "%d. %b %Y",
        "%a, %d %b %Y",
        "%a %b %d %Y",
        "%A, %d %B %Y",
        "%A, %B %d, %Y",
        "%Y-%b-%d",
        "%d %b, %Y",
        "%d %B, %Y",
    ),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%y", "%d %b %y", "%d-%b %Y"),
    *("%B %Y", "%b %Y", "%b-%Y", "%b-%y", "%Y-%m", "%Y/%m", "%m/%Y"),
)
JOINTS = (" ", "T", ", ", ":", " at ")
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I %p")  # of day
CLOCKS = (*TIMES, "%H%M", "%H%M%S")  # behind a date
ZONES = ("", "%z", " %z", " UTC", " GMT")
DAY_OR_MONTH = {"%d/%m/": "%m/%d/", "%d-%m-": "%m-%d-", "%m/%d/": "%d/%m/", "%m-%d-": "%d-%m-"}
TAILS = ("", *(joint + clock + zone for joint in JOINTS for clock in CLOCKS for zone in ZONES))
LOOKED_AT = 20  # strings, for what they look like


def find_formats(strings: pa.Array, share: float = 1.0) -> list[str]:
    """Return the formats in which that share of the strings can be read; "" is ISO 8601.

    Where the day may as well be the month both readings are returned.
    """
    strings = pc.utf8_trim_whitespace(strings.drop_null())
    if not len(strings) or pc.mean(pc.match_substring_regex(strings, r"\d\D*\d")).as_py() < share:
        return []
    some = strings.slice(0, LOOKED_AT)
    likely = [ISO] if _share(some, ISO) else []
    if likely and _share(strings, ISO) == 1:
        return likely
    likely += [format for text in some.to_pylist() for format in _likely(text)]
    return [format for format in dict.fromkeys(likely) if _share(strings, format) >= share]


def choose_format(formats: Sequence[str], strings: pa.Array) -> tuple[str, bool]:
    """Return which of the formats that read all strings to take, and whether another was as good.

    The day comes first, unless the clock has 12 hours, or that would put every date into the same
    month while the other order makes each the same day of its month.
    """
    chosen = formats[0]
    twins = [other for other in formats if other in find_twins(chosen)]
    if not twins:
        return chosen, False
    dates = read_timestamps(strings.drop_null(), Spelling(format=chosen, zoned="%z" in chosen))
    monthly = len(pc.unique(pc.month(dates))) == 1 < len(pc.unique(pc.day(dates)))
    return (twins[0] if "%p" in chosen or monthly else chosen), True


def is_zoned(format: str, strings: pa.Array) -> bool:
    """Return whether strings of this format carry a UTC offset."""
    if format != ISO:
        return "%z" in format
    return bool(read_timestamps(strings, Spelling(zoned=True)).is_valid().true_count * 2 > len(strings))


def _share(strings: pa.Array, format: str) -> float:
    read = read_timestamps(strings, Spelling(format=format, zoned=is_zoned(format, strings)))
    return float(len(read) - read.null_count) / len(strings)


def find_twins(format: str) -> list[str]:
    """Return the format in which day and month stand the other way round, if there is one."""
    return [format.replace(first, second) for first, second in DAY_OR_MONTH.items() if first in format]


def _likely(text: str) -> Iterator[str]:
    """Yield the formats that a string looks like: a date, and what may follow one, or a time of day."""
    for date in DATES:
        found = compile_format(date).match(text)
        if found:
            yield from (date + tail for tail in TAILS if compile_format(tail).fullmatch(text, found.end()))
    yield from (time for time in TIMES if compile_format(time).fullmatch(text))
