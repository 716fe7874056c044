"""What every source is: named columns that are read in batches."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.tables.missing import describe_absent as describe_absent

MAX_COLUMNS = 2000
BATCH_ROWS = 1 << 16


class Source(Protocol):
    """A table that can be read, more than once."""

    @property
    def description(self) -> str:
        """What the user calls it, without any password."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order, none of them twice."""

    @property
    def typed(self) -> bool:
        """Whether the columns have types; in a CSV file every value is a string."""

    @property
    def rows(self) -> int | None:
        """The number of rows, where it is known before they are read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the table, known once it was read."""

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Read these columns, in this order; the batches have one schema.

        `report` gets the share read so far, from 0 to 1. Raise InvalidTable where the table is
        damaged.
        """


def check_columns(description: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names; raise InvalidTable if there are none, too many, or one of them twice."""
    if not names:
        raise InvalidTable(f"{description} has no columns")
    if len(names) > MAX_COLUMNS:
        raise InvalidTable(f"{description} has {len(names):,} columns, more than {MAX_COLUMNS:,}: keep fewer of them")
    indices: dict[str, int] = {}
    for index, name in enumerate(names, 1):
        first = indices.setdefault(name, index)
        if first != index:
            both = f"the {_ordinal(first)} and the {_ordinal(index)} column"
            wrong = f"`{name}` is the name of {both}: rename one" if name else f"{both} have no name: name them"
            raise InvalidTable(f"{description}: {wrong}")
    return tuple(names)


def check_asked(source: Source, asked: Sequence[str]) -> None:
    """Raise InvalidTable if a column that is asked for is not there."""
    known = set(source.columns)
    missing = next((name for name in asked if name not in known), None)
    if missing is not None:
        raise InvalidTable(describe_absent(source.description, missing, source.columns))


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number:,}" + ("th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th"))
