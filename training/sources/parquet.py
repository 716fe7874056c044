"""Parquet: a file, or a folder of files that together are one table."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from pyarrow import dataset, parquet

from ekiben.contract.errors import InvalidTable
from ekiben.training.sources.files import readable
from ekiben.training.sources.source import check_asked, check_columns

_BATCH_ROWS = 1 << 16
_SUFFIXES = (".parquet", ".pq")
_FORMAT = dataset.ParquetFileFormat(
    default_fragment_scan_options=dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True,
        # Half the memory of reading whole row groups beforehand, and faster on a disk.
        pre_buffer=False,
        use_buffered_stream=True,
    )
)


@dataclass(frozen=True)
class ParquetFiles:
    """Files with the same columns; in a folder, subfolders like `year=2024` make the column `year`."""

    path: Path
    columns: tuple[str, ...]
    rows: int
    files: dataset.Dataset
    typed = True
    notes = ()

    @classmethod
    def open(cls, path: Path) -> "ParquetFiles":
        """Read the schema of every file; raise InvalidTable if there is none or if they differ."""
        paths = _find_files(path) if path.is_dir() else [path]
        schema = _common_schema(paths)
        check_columns(str(path), schema.names)
        base = {"partitioning": "hive", "partition_base_dir": str(path)} if path.is_dir() else {}
        with _sound(path):
            files = dataset.dataset([str(each) for each in paths], format=_FORMAT, **base)
            files = files.replace_schema(pa.unify_schemas([schema, files.schema]).remove_metadata())
            return cls(path, check_columns(str(path), files.schema.names), files.count_rows(), files)

    @property
    def description(self) -> str:
        return str(self.path)

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Stream the columns, file by file in the order of their names."""
        check_asked(self, columns)
        done = 0
        for batch in filter(len, self._read(columns)):
            done += batch.num_rows
            report(done / max(1, self.rows))
            yield batch
        report(1.0)

    def _read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _sound(self.path):
            batches = self.files.to_batches(
                columns=list(columns), batch_size=_BATCH_ROWS, batch_readahead=2, fragment_readahead=1
            )
            for batch in batches:
                self._check_strings(batch)
                yield batch

    def _check_strings(self, batch: pa.RecordBatch) -> None:
        """Raise InvalidTable where a string is not UTF-8: PyArrow reads whatever a program has written there."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise InvalidTable(f"{self.path}: `{name}` is damaged: {_first_line(error)}") from None


def _find_files(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder; names that begin with . or _ are other programs' notes."""
    with readable(folder):
        files = (Path(index, name) for index, _, names in os.walk(folder, onerror=_raise) for name in names)
        found = sorted(path for path in files if path.suffix.lower() in _SUFFIXES)
    named = [path for path in found if not any(part[0] in "._" for part in path.relative_to(folder).parts)]
    if not named:
        raise InvalidTable(
            f"{folder} is a folder without Parquet files: name a CSV file, or a folder of .parquet files"
        )
    return named


def _raise(error: OSError) -> NoReturn:
    raise error


def _common_schema(paths: Sequence[Path]) -> pa.Schema:
    """Return what all files have; a column that is empty in some takes the type it has in the others."""
    common, first = _read_schema(paths[0]), paths[0]
    for path in paths[1:]:
        schema = _read_schema(path)
        for name in sorted(set(common.names) ^ set(schema.names)):
            has, lacks = (first, path) if name in common.names else (path, first)
            raise InvalidTable(f"{has} has a column `{name}` and {lacks} has none: a folder must hold one table")
        try:
            common = pa.unify_schemas([common, schema])
        except pa.ArrowException as error:
            raise InvalidTable(f"{first} and {path} are not one table: {_first_line(error)}") from None
    return common


def _read_schema(path: Path) -> pa.Schema:
    with _sound(path):
        return parquet.read_schema(path).remove_metadata()


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn what PyArrow says of damage into InvalidTable."""
    with readable(path):
        try:
            yield
        except pa.ArrowException as error:
            raise InvalidTable(f"{path} can't be read as Parquet: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
