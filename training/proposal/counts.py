"""Numbers that count since when: epoch seconds and Excel's days, known by their name and range."""

from ekiben.contract.feature import EXCEL, TICKS
from ekiben.contract.spellings.moments import count_to_seconds
from ekiben.contract.spellings.spelling import Spelling
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.names import is_day, is_moment
from ekiben.training.proposal.reading import Reading

EPOCHS = (3e8, 4.1e9)  # seconds: 1979 … 2099
DAYS = (21_916, 73_050)  # 1960 … 2099


def read_as_counts(number: Reading, column: Column) -> Reading | None:
    """Return a column of numbers as the timestamps they count to, or None if they are plain numbers."""
    ticks = (name for name, worth in TICKS.items() if _is_within(number, EPOCHS[0] * worth, EPOCHS[1] * worth))
    format = next(ticks, "") if number.whole and is_moment(column.name) else ""
    if not format and is_day(column.name) and _is_within(number, *DAYS):
        format = EXCEL
    if not format:
        return None
    counted = number.spelled()
    counted.kind, counted.spelling = "timestamp", Spelling(format=format)
    counted.low, counted.high = (float(count_to_seconds(end, format)) for end in (number.low, number.high))
    return counted


def _is_within(number: Reading, low: float, high: float) -> bool:
    return low <= number.low and number.high <= high
