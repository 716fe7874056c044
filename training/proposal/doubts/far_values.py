"""Values that stand for none: `9999-12-31`, as databases write "until further notice", and −999 among numbers."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from ekiben.training.proposal.column import Column
from ekiben.training.proposal.reading import Reading

EPOCH = date(1970, 1, 1)
FAR = 5  # times the span of all others
SECONDS_PER_YEAR = 365.25 * 86_400
FEW_YEARS = 20
FEW_OTHERS = 5  # different values
FIRST_OF_2100 = (date(2100, 1, 1) - EPOCH).days * 86_400
REPEATED = 2  # rows

_End = tuple[float, int, float, float]  # the value, its rows, the gap to the next one, the span of the others


def find_far_date(column: Column, reading: Reading) -> str:
    """Return "33% are 9999-12-31, far from all others", or nothing."""
    for end, rows, gap, span in _list_ends(column, reading):
        is_apart = gap > max(FAR * span, FEW_YEARS * SECONDS_PER_YEAR)
        if is_apart or (end >= FIRST_OF_2100 and gap > FEW_YEARS * SECONDS_PER_YEAR):
            told = f"{_show_share(rows, column)} are {show_day(end)}, far from all others"
            return f'{told}: not a time to split by; null = ["{show_day(end)}"] makes them missing'
    return ""


def find_far_number(column: Column, reading: Reading) -> str:
    """Return "11% are -999, far from all others", or nothing: nines alone that stand in several rows."""
    for end, rows, gap, span in _list_ends(column, reading):
        if rows >= REPEATED and gap > span and re.fullmatch(r"-?99+", f"{end:.15g}"):
            told = f"{_show_share(rows, column)} are {end:.15g}, far from all others"
            return f'{told}: null = ["{end:.15g}"] makes them missing'
    return ""


def show_day(seconds: float) -> str:
    """Return the day of a moment."""
    return str(EPOCH + timedelta(seconds=seconds))


def _list_ends(column: Column, reading: Reading) -> Iterator[_End]:
    """Yield the greatest and the least value, if there are more than a few."""
    values = np.unique(reading.read(column.distinct).drop_null().to_numpy())
    if len(values) <= FEW_OTHERS:
        return
    yield reading.high, reading.high_rows, values[-1] - values[-2], values[-2] - values[0]
    yield reading.low, reading.low_rows, values[1] - values[0], values[-1] - values[1]


def _show_share(rows: int, column: Column) -> str:
    return f"{max(rows / column.values, 0.01):.0%}"
