"""A time to split by that stands in several columns: year, month and day."""

from collections.abc import Iterable, Mapping

from ekiben.contract.spellings.months import MONTHS
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.names import name_part
from ekiben.training.proposal.reading import Reading
from ekiben.training.split_config import PARTS

RANGES = {"year": (1800, 2100), "month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59)}
Parts = tuple[str, ...]


def find_time_parts(columns: Iterable[Column]) -> list[Parts]:
    """Return the columns with year, month and so on of each moment that a table has in parts.

    They belong together by what else is in their names: `sold_year` and `sold_month`. A year alone is a moment if the
    rows are in its order.
    """
    found: dict[tuple[str, ...], dict[str, Column]] = {}
    for column in columns:
        part, others = name_part(column.name)
        if part and _holds(part, column):
            found.setdefault(others, {}).setdefault(part, column)
    return [parts for named in found.values() if (parts := _join(named))]


def _join(named: Mapping[str, Column]) -> Parts:
    """Return the columns from the year down to the first part that is not there."""
    parts: list[str] = []
    for part in PARTS:
        if part not in named:
            break
        parts.append(named[part].name)
    if len(parts) == 1 and not _is_in_order(named["year"]):
        return ()
    return tuple(parts)


def _holds(part: str, column: Column) -> bool:
    """Return whether all rows of a column hold such a part of a moment."""
    if not column.values or column.values < column.rows:
        return False
    if number := _find_whole(column):
        low, high = RANGES[part]
        return low <= number.low and number.high <= high
    words = column.distinct.to_pylist() if column.is_text and part == "month" and column.is_counted else ()
    return bool(words) and all(word.lower().removesuffix(".") in MONTHS for word in words)


def _is_in_order(column: Column) -> bool:
    number = _find_whole(column)
    return number is not None and number.low < number.high and number.is_in_order


def _find_whole(column: Column) -> Reading | None:
    fitting = (reading for reading in column.readings if reading.kind == "number" and reading.fits and reading.whole)
    return next(fitting, None)
