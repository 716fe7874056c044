"""What collects the batches of each column: in the type of its kind, with what could not be read so."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.feature import Kind
from ekiben.contract.spellings.cells import WHOLE
from ekiben.contract.spellings.spelling import PLAIN, Spelling, spelling_of
from ekiben.contract.validation import expect
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.conversion import Converted, ParseFailure, convert, convert_exactly
from ekiben.training.tables.labels import LabelReader
from ekiben.training.versions.columns import PANDAS_TYPES, name_type

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
        self._wholes = WholeNumbers()
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
    def bytes(self) -> int:
        """The size of the batches."""
        return sum(chunk.nbytes for chunk in self._chunks)

    @property
    def settles_late(self) -> bool:
        """Whether only the whole column says what its values are."""
        return self.is_whole

    def name_kind(self, drained: pa.DataType) -> str:
        """Return what a digest calls a column whose batches have that type."""
        return name_type(drained)

    def drain(self) -> Iterator[pa.Array]:
        """Yield the batches as plain arrays, for the disk, and forget each."""
        while self._chunks:
            chunk = self._chunks.pop(0)
            if pa.types.is_dictionary(chunk.type):
                self._wholes.look(chunk.dictionary)
                self.is_whole = self._wholes.found
                chunk = chunk.cast(pa.string())
            yield chunk

    def settle(self, drained: pa.Array) -> pa.Array:
        """Return some of what was drained as `finish` would have it."""
        return to_wholes(drained, self._spelling.null) if self.is_whole else drained

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


Reader = ColumnReader | LabelReader


def choose_readers(
    problem: ProblemConfig, typed: bool, spell: Callable[[Any], Spelling] = spelling_of
) -> dict[str, Reader]:
    """Return what reads each column: a feature as its kind, a label as it is, time and slices as what they are."""
    readers: dict[str, Reader] = {
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


class WholeNumbers:
    """Whether all of a column's categories are whole numbers, and any is written otherwise: `102.0`."""

    def __init__(self) -> None:
        self._all, self._any = True, False

    @property
    def found(self) -> bool:
        return self._all and self._any

    def look(self, values: pa.Array) -> None:
        """Look at more of the values."""
        wholes = _write_whole(values)
        self._any |= not wholes.equals(values)
        self._all &= bool(pc.all(pc.match_substring_regex(wholes, "^[+-]?[0-9]+$"), min_count=0).as_py())


def merge_whole(column: pa.ChunkedArray, null: Sequence[str]) -> pa.ChunkedArray:
    """Return categories, `102.0` as `102` where all are whole numbers: so pandas writes them where one is missing."""
    values = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
    wholes = WholeNumbers()
    wholes.look(values)
    if not wholes.found:
        return column
    merged = to_wholes(values, null).dictionary_encode()
    chunks = [pa.DictionaryArray.from_arrays(merged.indices.take(c.indices), merged.dictionary) for c in column.chunks]
    return pa.chunked_array(chunks)


def to_wholes(values: pa.Array, null: Sequence[str]) -> pa.Array:
    """Return the strings of whole numbers as one writes these, null where that is a marker of missing."""
    wholes = _write_whole(values)
    return pc.if_else(pc.is_in(wholes, pa.array(null, pa.string())), None, wholes)


def _write_whole(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, WHOLE, r"\1")
