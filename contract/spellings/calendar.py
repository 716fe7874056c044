"""The calendar as arithmetic that whole numbers and arrays of them share."""

from typing import Any

SECONDS_PER_DAY = 86_400
MONTHS_PER_YEAR = 12


def count_days(year: Any, month: Any, day: Any) -> Any:
    """Return the days since 1 January 1970 in the Gregorian calendar."""
    # Years begin in March here, so that a leap day is the last of one.
    past = (month + 9) % MONTHS_PER_YEAR
    year = year - past // 10
    return 365 * year + year // 4 - year // 100 + year // 400 + (306 * past + 5) // 10 + day - 719_469


def month_length(year: Any, month: Any) -> Any:
    """Return the days of a month."""
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return 30 + (month + month // 8) % 2 - (month == 2) * (2 - is_leap)
