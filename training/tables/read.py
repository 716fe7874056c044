"""A source read as the problem says: narrow typed columns in a pandas table, and what did not fit them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Kind
from ekiben.contract.spellings.cells import WHOLE
from ekiben.contract.spellings.spelling import PLAIN, Spelling, spelling_of
from ekiben.contract.validation import expect, show
from ekiben.training.problem import ProblemConfig
from ekiben.training.sources import Source, describe_absent, open_source
from ekiben.training.sources.lake import LakeTable, LakeVersion
from ekiben.training.tables.conversion import Converted, ParseFailure, convert, convert_exactly
from ekiben.training.tables.labels import LabelReader
from ekiben.training.tables.moments import add_moments
from ekiben.training.tables.table import Table as Table
from ekiben.training.tables.weights import check_weights, leave_out_weightless
from ekiben.training.versions.columns import PANDAS_TYPES as PANDAS_TYPES
from ekiben.training.versions.columns import settle
from ekiben.training.versions.known import confirm, observe

_AS_IT_IS: tuple[Kind, Spelling] = ("category", PLAIN)
_Read = Callable[[pa.Array, Kind, Spelling], Converted]


class ColumnReader:
    """Collects the batches of one column in the type of its kind."""

    def __init__(self, name: str, kind: Kind, spelling: Spelling, read: _Read = convert) -> None:
        self.name = name
        self._kind = kind
        self._spelling = spelling
        self._read = read
        self._chunks: list[pa.Array] = []
        self._parse_failure: ParseFailure | None = None
        self.is_whole = False  # its categories were found to be whole numbers

    def add(self, raw: pa.Array, first_row: int) -> None:
        """Convert the next batch, which begins at that row of the table."""
        converted = self._read(raw, self._kind, self._spelling)
        self._chunks.append(converted.values)
        if converted.parse_failure is not None:
            self._count_parse_failures(raw, converted.parse_failure, first_row)

    def finish(self) -> "pd.Series":
        """Return the whole column and forget the batches."""
        column = pa.chunked_array(self._chunks)
        self._chunks = []
        if pa.types.is_dictionary(column.type):
            unified = column.unify_dictionaries()
            column = merge_whole(unified, self._spelling.null)
            self.is_whole = column is not unified
        return column.to_pandas(types_mapper=PANDAS_TYPES.get)

    @property
    def parse_failure(self) -> ParseFailure | None:
        """What could not be read as the column's kind."""
        return self._parse_failure

    def _count_parse_failures(self, raw: pa.Array, parse_failure: np.ndarray, first_row: int) -> None:
        found = int(np.count_nonzero(parse_failure))
        if self._parse_failure is None:
            index = int(parse_failure.argmax())
            shown = str(raw[index].as_py()).strip()
            expected = expect(self._kind, shown, self._spelling)
            self._parse_failure = ParseFailure(self.name, found, first_row + index + 1, shown, expected)
        else:
            self._parse_failure = replace(self._parse_failure, rows=self._parse_failure.rows + found)


def read_table(
    problem: ProblemConfig, report: Callable[[float], None], lenient: bool = False, logged: Source | None = None
) -> Table:
    """Read the problem's columns of its source in batches.

    Rows without a target are left out; values that don't fit their kind become misfits. Raises
    InvalidTable if there are no rows, the source can't be read or a column is absent: of a
    `lenient` reading only the target or the time. What a service `logged` is read in place of the
    problem's source, and its values are taken as they are.
    """
    source = logged or open_source(problem.source)
    absent = tuple(name for name in problem.columns if name not in source.columns)
    missed = [name for name in absent if not lenient or name in (problem.target.name, *problem.split.columns)]
    if missed:
        raise InvalidTable(describe_absent(source.description, missed[0], source.columns))
    reading = None if logged else observe(problem, source)
    readers = choose_readers(problem, source.typed, spell_logged if logged else spelling_of)
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
    frame = pd.DataFrame({name: readers[name].finish() for name in wanted}, copy=False)
    frame = add_moments(frame, problem.split)
    whole = [name for name in wanted if readers[name].is_whole]
    origin = LakeVersion(source.path, source.version) if isinstance(source, LakeTable) else None
    table = leave_out_rows(
        problem, Table(frame, source.columns, absent, parse_failures, source.description, source.notes, origin)
    )
    reading = confirm(reading, whole, table.frame.index) if reading else None
    return replace(table, frame=settle(table.frame), reading=reading)


def choose_readers(
    problem: ProblemConfig, typed: bool, spell: Callable[[Any], Spelling] = spelling_of
) -> dict[str, ColumnReader | LabelReader]:
    """Return what reads each column: a feature as its kind, a label as it is, time and slices as what they are."""
    readers: dict[str, ColumnReader | LabelReader] = {
        name: ColumnReader(name, *_AS_IT_IS)
        for name in (*problem.slices, *problem.groups, *filter(None, [problem.split.group]))
    }
    if problem.weight:
        readers[problem.weight] = ColumnReader(problem.weight, "number", PLAIN, convert_exactly)
    for name in problem.split.columns:  # of parts of a moment months may be words
        is_whole_moment = name == problem.split.time
        readers[name] = ColumnReader(name, *(("timestamp", spell(problem.split)) if is_whole_moment else _AS_IT_IS))
    for name, facts in problem.features.items():
        readers[name] = ColumnReader(name, facts.kind, spell(facts))
    target = problem.target
    if target.task == "regression":
        readers[target.name] = ColumnReader(target.name, "number", spell(target), convert_exactly)
    else:
        readers[target.name] = LabelReader(target.name, typed, target.null)
    return readers


def spell_logged(entry: Any) -> Spelling:
    """Return how a column that a service logged is read: as it is, but for strings of a category that mean missing."""
    missing = entry.null if getattr(entry, "kind", "") == "category" else ()
    return Spelling(zoned=getattr(entry, "zoned", False), null=missing)


def merge_whole(column: pa.ChunkedArray, null: Sequence[str]) -> pa.ChunkedArray:
    """Return categories, `102.0` as `102` where all are whole numbers: so pandas writes them where one is missing."""
    values = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
    wholes = pc.replace_substring_regex(values, WHOLE, r"\1")
    if wholes.equals(values) or not pc.all(pc.match_substring_regex(wholes, "^[+-]?[0-9]+$")).as_py():
        return column
    merged = pc.if_else(pc.is_in(wholes, pa.array(null, pa.string())), None, wholes).dictionary_encode()
    chunks = [pa.DictionaryArray.from_arrays(merged.indices.take(c.indices), merged.dictionary) for c in column.chunks]
    return pa.chunked_array(chunks)


def leave_out_rows(problem: ProblemConfig, table: Table) -> Table:
    """Return the table without the rows that have no target, or no time where the split needs one."""
    frame, notes = table.frame, list(table.notes)
    for name in (problem.target.name, problem.split.moment):
        absent = frame[name].isna() if name else None
        if absent is not None and absent.any():
            notes.append(f"left out: {int(absent.sum()):,} rows without `{name}`")
            frame = frame[~absent]
    if problem.weight and problem.weight in frame:
        check_weights(frame[problem.weight], table)
        frame, told = leave_out_weightless(frame, problem.weight)
        notes += told
    if frame.empty:
        reject_unread_time(problem, table)
        raise InvalidTable(f"`{problem.target.name}` has no value in any row of {table.source}")
    return replace(table, frame=frame, notes=tuple(notes))


def reject_unread_time(problem: ProblemConfig, table: Table) -> None:
    """Raise InvalidTable if no row has a time because none can be read as the problem says."""
    name = problem.split.moment
    failed = next((failure for failure in table.parse_failures if failure.column == name), None)
    if name is None or failed is None or table.frame[name].notna().any():
        return
    format = problem.features[name].format if name in problem.features else problem.split.format
    expected = f"a date and time written {format!r}" if format else failed.expected
    found = f"row {failed.row:,} has {show(failed.shown)}"
    raise InvalidTable(f"`{name}`: no value can be read as {expected}: {found}")
