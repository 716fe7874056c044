"""Dates that stand for no date: `9999-12-31`, as databases write "until further notice"."""

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


def find_far(column: Column, reading: Reading) -> str:
    """Return "33% are 9999-12-31, far from all others", or nothing."""
    values = np.unique(reading.read(column.distinct).drop_null().to_numpy())
    if len(values) <= FEW_OTHERS:
        return ""
    ends = (
        (reading.high, reading.high_rows, values[-1] - values[-2], values[-2] - values[0]),
        (reading.low, reading.low_rows, values[1] - values[0], values[-1] - values[1]),
    )
    for end, rows, gap, span in ends:
        is_apart = gap > max(FAR * span, FEW_YEARS * SECONDS_PER_YEAR)
        if is_apart or (end >= FIRST_OF_2100 and gap > FEW_YEARS * SECONDS_PER_YEAR):
            told = f"{max(rows / column.values, 0.01):.0%} are {show_day(end)}, far from all others"
            return f'{told}: not a time to split by; null = ["{show_day(end)}"] makes them missing'
    return ""


def show_day(seconds: float) -> str:
    """Return the day of a moment."""
    return str(EPOCH + timedelta(seconds=seconds))
