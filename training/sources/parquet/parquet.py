"""Parquet: a file, or a folder of files that together are one table.

PyArrow reads it: DuckDB 2.0 takes no notice of pages' checksums, and gives a damaged page's bytes as numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ekiben.contract.errors import InvalidTable
from ekiben.training.sources.files import readable
from ekiben.training.sources.parquet.folder import Folder, list_folder
from ekiben.training.sources.simple_types import cast, simplify_schema, unify
from ekiben.training.sources.source import BATCH_ROWS, check_asked, check_columns

_BUFFER_BYTES = 1 << 20  # read as needed: half the memory of whole row groups beforehand, and faster on a disk


@dataclass(frozen=True)
class ParquetFiles:
    """Files with the same columns; in a folder, subfolders like `year=2024` make the column `year`."""

    path: Path
    columns: tuple[str, ...]
    rows: int
    schema: pa.Schema
    folder: Folder
    typed = True

    @classmethod
    def open(cls, path: Path) -> "ParquetFiles":
        """Read the schema of every file; raise InvalidTable if there is none or if they differ."""
        folder = list_folder(path) if path.is_dir() else Folder((path,), ({},), ())
        schema, rows = _read_schemas(path, folder)
        return cls(path, check_columns(str(path), schema.names), rows, schema, folder)

    @property
    def description(self) -> str:
        return str(self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.folder.notes

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Stream the columns, file by file in the order of their names."""
        check_asked(self, columns)
        done = 0
        for file, keys in zip(self.folder.files, self.folder.keys, strict=True):
            for batch in filter(len, self._read(file, keys, columns)):
                done += batch.num_rows
                report(min(1.0, done / max(1, self.rows)))
                yield batch
        report(1.0)

    def _read(self, file: Path, keys: dict[str, str | None], asked: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _open(file) as opened:
            within = [name for name in asked if name in opened.schema_arrow.names]
            for batch in opened.iter_batches(BATCH_ROWS, columns=within):
                arrays = [
                    self._take(file, batch, name)
                    if name in within
                    else _repeat(keys[name], self._type(name), len(batch))
                    for name in asked
                ]
                for name in keys.keys() & set(within):
                    _check_key(file, name, keys[name], arrays[asked.index(name)])
                yield pa.record_batch(arrays, schema=pa.schema([(name, self._type(name)) for name in asked]))

    def _type(self, name: str) -> pa.DataType:
        return self.schema.field(name).type

    def _take(self, file: Path, batch: pa.RecordBatch, name: str) -> pa.Array:
        """Return a column in the table's type; raise InvalidTable where a value doesn't fit it or is not UTF-8."""
        try:
            column = cast(batch.column(name), self._type(name))
            column.validate(full=True)
        except pa.ArrowException as error:
            raise InvalidTable(f"{file}: `{name}` is damaged or can't be read: {_first_line(error)}") from None
        return column


def _read_schemas(path: Path, folder: Folder) -> tuple[pa.Schema, int]:
    """Return the common schema with the folders' keys, and the number of rows."""
    schemas, rows = [], 0
    for file in folder.files:
        with _open(file) as opened:
            schemas.append((file, simplify_schema(opened.schema_arrow)))
            rows += opened.metadata.num_rows
    check_columns(str(path), [*schemas[0][1].names] or [*folder.keys[0]])
    _, common = reduce(_join, schemas)
    for key in folder.keys[0]:
        if key not in common.names:  # else what the files have counts
            common = common.append(pa.field(key, folder.type_of(key)))
    return common, rows


def _join(one: tuple[Path, pa.Schema], other: tuple[Path, pa.Schema]) -> tuple[Path, pa.Schema]:
    """Return the first file with the types that hold both files' values."""
    (first, common), (path, schema) = one, other
    for name in sorted(set(common.names) ^ set(schema.names)):
        has, lacks = (first, path) if name in common.names else (path, first)
        raise InvalidTable(f"{has} has a column `{name}` and {lacks} has none: a folder must hold one table")
    try:
        return first, common if schema.equals(common) else unify(common, schema)
    except pa.ArrowException as error:
        raise InvalidTable(f"{first} and {path} are not one table: {_first_line(error)}") from None


def _check_key(file: Path, name: str, key: str | None, column: pa.Array) -> None:
    """Raise InvalidTable if the file says another value than the name of its folder."""
    for value in pc.unique(column).to_pylist():
        if isinstance(value, str | int) and not isinstance(value, bool) and not _is_same(key, value):
            said = f"its folder says `{name}` is {key!r}, and a row {str(value)!r}"
            raise InvalidTable(f"{file}: {said}: correct one of them")


def _is_same(key: str | None, value: str | int) -> bool:
    """Return whether a key is this value; 02 is the number 2."""
    return key == str(value) or (isinstance(value, int) and key is not None and key.isdecimal() and int(key) == value)


def _repeat(value: str | None, kind: pa.DataType, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()).cast(kind), rows)


@contextmanager
def _open(path: Path) -> Iterator[parquet.ParquetFile]:
    """Open a file; turn what PyArrow says of damage into InvalidTable."""
    with readable(path):
        try:
            with parquet.ParquetFile(path, page_checksum_verification=True, buffer_size=_BUFFER_BYTES) as opened:
                yield opened
        except pa.ArrowException as error:
            raise InvalidTable(f"{path} can't be read as Parquet: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
