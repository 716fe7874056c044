"""Writes a table batch by batch: CSV, also gzipped, or Parquet; whole or not at all."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from ekiben.contract.errors import UserError

ENDINGS = (".csv", ".csv.gz", ".parquet")


class CannotWrite(UserError):
    """The output can't be written."""


def check_output(path: Path | None) -> None:
    """Raise CannotWrite if a table could not be written there, or to standard output."""
    if path is None:
        if sys.__stdout__ is None:
            raise CannotWrite("standard output is closed: name a file with -o")
    elif not path.name.endswith(ENDINGS):
        raise CannotWrite(f"{path}: the output can be {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    elif not path.parent.exists():
        raise CannotWrite(f"{path} can't be written: {os.strerror(errno.ENOENT)}")


@contextmanager
def open_writer(path: Path | None) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Yield a function that writes the next batch to the file, or as CSV to standard output.

    The file appears under its name only once it is whole. Raises CannotWrite if its name has
    another ending or its folder can't be written to.
    """
    check_output(path)
    if path is None:
        with _Writer(lambda schema: csv.CSVWriter(sys.stdout.buffer, schema)) as writer:
            yield writer.write
        return
    partial = path.with_name(f".{path.name}.part")
    try:
        with (
            partial.open("wb") as file,
            _compress(path, file) as stream,
            _Writer(lambda schema: _open_format(path, stream, schema)) as writer,
        ):
            yield writer.write
        os.replace(partial, path)
    except OSError as error:
        raise CannotWrite(f"{path} can't be written: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


class _Writer:
    """Opens its format with the first batch, which says what the columns are."""

    def __init__(self, open_format: Callable[[pa.Schema], Any]) -> None:
        self._open_format = open_format
        self._opened: Any = None

    def __enter__(self) -> "_Writer":
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        if self._opened is None:
            self._opened = self._open_format(batch.schema)
        self._opened.write_batch(batch)

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()


def _compress(path: Path, file: Any) -> Any:
    return pa.CompressedOutputStream(file, "gzip") if path.name.endswith(".gz") else nullcontext(file)


def _open_format(path: Path, stream: Any, schema: pa.Schema) -> Any:
    return (parquet.ParquetWriter if path.name.endswith(".parquet") else csv.CSVWriter)(stream, schema)
