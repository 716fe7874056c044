"""As what a column could be read, judged by its first values; all of its rows then tell which of it is true."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.durations import DURATION, read_duration
from ekiben.contract.spellings.spelling import FIRST_YEAR, PLAIN, Spelling
from ekiben.training.proposal.reading import Reading
from ekiben.training.tables.date_formats import DIGITS_ONLY, find_formats, find_twins, is_zoned

LOOKED_AT = 1000  # distinct strings
LIKELY = 0.5  # of them can be read so: it is tried on all
FEW = 20
SAME_UNIT = 0.9  # of them end with it
FIRST_DAY, LAST_DAY = 1900_01_01, 2100_12_31  # numbers between them may be dates
CENTURY = 100
CLOCK = "%H:%M:%S"  # of a column whose type is a time of day
_MEASURED = re.compile(r"[+-]?[0-9][0-9.,'\s]*?\s*([^\W\d_µ°][^\d\s]{0,11}|[µ°][^\d\s]{1,3})")


def list_readings(distinct: pa.Array, decimal: str | None, given: pa.DataType) -> list[Reading]:
    """Return as what to read a column, the likeliest first, by some of its different values.

    `decimal` is the mark that is said to stand in numbers, `given` the type that the source has.
    """
    kind = distinct.type
    if pa.types.is_duration(given):
        return [Reading("number", Spelling(format=DURATION))]
    if pa.types.is_string(kind):
        return list(_list_of_strings(distinct.slice(0, LOOKED_AT), decimal))
    if pa.types.is_boolean(kind):
        return [Reading("boolean")]
    if pa.types.is_time(kind):
        return [Reading("timestamp", Spelling(format=CLOCK))]
    if pa.types.is_date(kind):
        return [Reading("timestamp")]
    if pa.types.is_timestamp(kind):
        return [Reading("timestamp", Spelling(zoned=kind.tz is not None))]
    days: list[Reading] = []
    if pa.types.is_integer(kind):
        low, high = pc.min_max(distinct).as_py().values()
        days = [Reading("timestamp", Spelling(format=DIGITS_ONLY))] if low >= FIRST_DAY and high <= LAST_DAY else []
    return [Reading("number"), *days]


def is_likely(reading: Reading, strings: pa.Array) -> bool:
    """Return whether most of some different strings can be read so; of few, all are to be looked at."""
    return len(strings) <= FEW or reading.read(strings).is_valid().true_count >= LIKELY * len(strings)


def _list_of_strings(strings: pa.Array, decimal: str | None) -> Iterator[Reading]:
    texts = strings.to_pylist()
    number = Reading("number", Spelling(decimal=decimal or PLAIN.decimal, unit=find_unit(texts)))
    has_marks = any(mark in text for text in texts for mark in ".,")
    numbers = [number, number.spelled(decimal=",")] if has_marks and decimal is None else [number]
    yield from (reading for reading in numbers if is_likely(reading, strings))
    durations = [text for text in texts if read_duration(text) is not None]
    if sum(":" in text or text[-1:].isalpha() for text in durations) > LIKELY * len(texts):
        yield Reading("number", Spelling(format=DURATION))
    found = find_formats(strings, LIKELY)
    for format in dict.fromkeys([*found, *(twin for each in found for twin in find_twins(each))]):
        zoned = is_zoned(format, strings)
        years = list_first_years() if "%y" in format else [None]
        yield from (Reading("timestamp", Spelling(format=format, zoned=zoned, first_year=year)) for year in years)
    if is_likely(Reading("boolean"), strings):
        yield Reading("boolean")


def list_first_years() -> list[int | None]:
    """Return with which years the hundred of two digits may begin; the one that ends with this year first."""
    return [datetime.now(UTC).year - CENTURY + 1, FIRST_YEAR, 2000]


def find_unit(texts: Sequence[str]) -> str:
    """Return the word that stands behind nearly all numbers, such as kg, or ""."""
    found = Counter(measured[1] for text in texts if (measured := _MEASURED.fullmatch(text)))
    unit, count = found.most_common(1)[0] if found else ("", 0)
    return unit if count >= SAME_UNIT * len(texts) else ""
