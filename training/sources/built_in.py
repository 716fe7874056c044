"""The tables that come with Ekiben."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from ekiben.training.sources.flights import COLUMNS, load_flights
from ekiben.training.sources.source import check_asked


class BuiltInTable:
    """New York's flights of 2013; they are joined when they are read."""

    columns = COLUMNS
    typed = True
    rows = None

    def __init__(self, name: str) -> None:
        self.description = name
        self.notes: tuple[str, ...] = ()

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Read the whole table as one batch."""
        check_asked(self, columns)
        table = load_flights(report)
        self.notes = (f"left out: {table.attrs['left_out']}",)
        yield pa.RecordBatch.from_pandas(table[list(columns)], preserve_index=False)
        report(1.0)
