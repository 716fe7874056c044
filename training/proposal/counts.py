"""Numbers that count since when: epoch seconds and Excel's days, known by their range, and their name or order."""

from ekiben.contract.feature import EXCEL, TICKS
from ekiben.contract.spellings.moments import count_to_seconds
from ekiben.contract.spellings.spelling import Spelling
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.names import is_day, is_identifier, is_moment
from ekiben.training.proposal.reading import Reading

EPOCHS = (3e8, 4.1e9)  # seconds: 1979 … 2099
RECENT = (946_684_800, 2_051_222_400)  # seconds: 2000 … 2034, for columns whose names don't say when
FEW_VALUES = 20
SECONDS_PER_MINUTE = 60
DAYS = (21_916, 73_050)  # 1960 … 2099


def read_as_counts(number: Reading, column: Column) -> Reading | None:
    """Return a column of numbers as the timestamps they count to, or None if they are plain numbers."""
    format = _find_ticks(number, column)
    if not format and is_day(column.name) and _is_within(number, *DAYS):
        format = EXCEL
    if not format:
        return None
    counted = number.spelled()
    counted.kind, counted.spelling = "timestamp", Spelling(format=format)
    counted.low, counted.high = (float(count_to_seconds(end, format)) for end in (number.low, number.high))
    return counted


def _find_ticks(number: Reading, column: Column) -> str:
    """Return what is counted since 1970, or ""; seconds may have fractions where the name says when."""
    low, high = EPOCHS if is_moment(column.name) else RECENT
    for format, worth in TICKS.items():
        if _is_within(number, low * worth, high * worth):
            if is_moment(column.name):
                return format if number.whole or worth == 1 else ""
            return format if _are_moments(number, column, worth) else ""
    return ""


def _are_moments(number: Reading, column: Column, worth: int) -> bool:
    """Return whether numbers that could count from 1970 to these years do: they are in order, or whole minutes."""
    if not number.whole or len(column.distinct) < FEW_VALUES or is_identifier(column.name):
        return False
    if number.is_in_order:
        return True
    values = number.read(column.distinct).drop_null().to_numpy()
    return bool((values % (SECONDS_PER_MINUTE * worth) == 0).all())


def _is_within(number: Reading, low: float, high: float) -> bool:
    return low <= number.low and number.high <= high
