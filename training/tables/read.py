"""A source read as the problem says: narrow typed columns in a pandas table, and what did not fit them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Kind
from ekiben.contract.validation import EXPECTED, show
from ekiben.training.problem import Declared, FileSource, ProblemConfig
from ekiben.training.sources import describe_absent, open_source
from ekiben.training.tables.conversion import Converted, ParseFailure, convert, convert_exactly
from ekiben.training.tables.labels import LabelReader

PANDAS_TYPES: Mapping[pa.DataType, object] = {pa.bool_(): pd.BooleanDtype()}


@dataclass(frozen=True)
class Table:
    """What was read of a source: the rows that have a target."""

    frame: pd.DataFrame  # features, target, time and slices, in the types of their kinds
    columns: tuple[str, ...]  # of the source, also those that were not read
    absent: tuple[str, ...]  # of the problem's columns
    parse_failures: tuple[ParseFailure, ...]
    source: str  # how the source calls itself; never with a password
    notes: tuple[str, ...]  # what the source or the reader left out

    def thin(self, rows: int) -> "Table":
        """Return a table with about that many of the rows, evenly spread."""
        return replace(self, frame=self.frame.iloc[:: max(1, len(self.frame) // rows)])


class ColumnReader:
    """Collects the batches of one column in the type of its kind."""

    def __init__(self, name: str, kind: Kind, read: Callable[[pa.Array], Converted]) -> None:
        self.name = name
        self._kind = kind
        self._read = read
        self._chunks: list[pa.Array] = []
        self._parse_failure: ParseFailure | None = None

    def add(self, raw: pa.Array, first_row: int) -> None:
        """Convert the next batch, which begins at that row of the table."""
        converted = self._read(raw)
        self._chunks.append(converted.values)
        if converted.parse_failure is not None:
            self._count_parse_failures(raw, converted.parse_failure, first_row)

    def finish(self) -> "pd.Series":
        """Return the whole column and forget the batches."""
        column = pa.chunked_array(self._chunks)
        self._chunks = []
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        return column.to_pandas(types_mapper=PANDAS_TYPES.get)

    @property
    def parse_failure(self) -> ParseFailure | None:
        """What could not be read as the column's kind."""
        return self._parse_failure

    def _count_parse_failures(self, raw: pa.Array, parse_failure: np.ndarray, first_row: int) -> None:
        found = int(np.count_nonzero(parse_failure))
        if self._parse_failure is None:
            index = int(parse_failure.argmax())
            shown = str(raw[index].as_py())
            self._parse_failure = ParseFailure(self.name, found, first_row + index + 1, shown, EXPECTED[self._kind])
        else:
            self._parse_failure = replace(self._parse_failure, rows=self._parse_failure.rows + found)


def read_table(problem: ProblemConfig, report: Callable[[float], None], lenient: bool = False) -> Table:
    """Read the problem's columns of its source in batches.

    Rows without a target are left out; values that don't fit their kind become misfits. Raises
    InvalidTable if there are no rows, the source can't be read or a column is absent: of a
    `lenient` reading only the target or the time.
    """
    source = open_source(problem.source)
    absent = tuple(name for name in problem.columns if name not in source.columns)
    missed = [name for name in absent if not lenient or name in (problem.target.name, problem.split.time)]
    if missed:
        raise InvalidTable(describe_absent(source.description, missed[0], source.columns))
    decimal = problem.source.decimal if isinstance(problem.source, FileSource) else "."
    readers = choose_readers(problem, source.typed, decimal)
    wanted = [name for name in problem.columns if name not in absent]
    rows = 0
    for batch in source.batches(wanted, report):
        for index, name in enumerate(wanted):
            readers[name].add(batch.column(index), rows)
        rows += batch.num_rows
    if not rows:
        raise InvalidTable(f"{source.description} has no rows")
    parse_failures = tuple(
        replace(parse_failure, of=rows) for reader in readers.values() if (parse_failure := reader.parse_failure)
    )
    frame = pd.DataFrame({name: readers.pop(name).finish() for name in wanted}, copy=False)
    return leave_out_rows(
        problem, Table(frame, source.columns, absent, parse_failures, source.description, source.notes)
    )


def choose_readers(problem: ProblemConfig, typed: bool, decimal: str) -> dict[str, ColumnReader | LabelReader]:
    """Return what reads each column: a feature as its kind, a label as it is, time and slices as what they are."""
    declared = {name: Declared(kind="category") for name in problem.slices}
    if problem.split.time:
        declared[problem.split.time] = Declared(
            kind="timestamp", format=problem.split.format, zoned=problem.split.zoned
        )
    declared |= problem.features
    target = problem.target.name
    readers: dict[str, ColumnReader | LabelReader] = {
        name: ColumnReader(name, facts.kind, _read_as(facts, decimal)) for name, facts in declared.items()
    }
    if problem.target.task == "regression":
        readers[target] = ColumnReader(target, "number", partial(convert_exactly, decimal=decimal))
    else:
        readers[target] = LabelReader(target, typed)
    return readers


def leave_out_rows(problem: ProblemConfig, table: Table) -> Table:
    """Return the table without the rows that have no target, or no time where the split needs one."""
    frame, notes = table.frame, list(table.notes)
    for name in (problem.target.name, problem.split.time):
        absent = frame[name].isna() if name else None
        if absent is not None and absent.any():
            notes.append(f"left out: {int(absent.sum()):,} rows without `{name}`")
            frame = frame[~absent]
    if frame.empty:
        reject_unread_time(problem, table)
        raise InvalidTable(f"`{problem.target.name}` has no value in any row of {table.source}")
    return replace(table, frame=frame, notes=tuple(notes))


def reject_unread_time(problem: ProblemConfig, table: Table) -> None:
    """Raise InvalidTable if no row has a time because none can be read as the problem says."""
    name = problem.split.time
    failed = next((failure for failure in table.parse_failures if failure.column == name), None)
    if name is None or failed is None or table.frame[name].notna().any():
        return
    format = problem.features[name].format if name in problem.features else problem.split.format
    expected = f"a date and time written {format!r}" if format else failed.expected
    found = f"row {failed.row:,} has {show(failed.shown)}"
    raise InvalidTable(f"`{name}`: no value can be read as {expected}: {found}")


def _read_as(declared: Declared, decimal: str) -> Callable[[pa.Array], Converted]:
    return partial(convert, kind=declared.kind, format=declared.format, zoned=declared.zoned, decimal=decimal)
