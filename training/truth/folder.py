"""The folder of the row log: which Parquet parts are in it, and what one of them holds.

The service writes `rows-*.parquet` and `labels-*.parquet`, here or in an object store that PyArrow knows. A part that
can't be read is left out as a whole, and said.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import pyarrow as pa
from pyarrow import fs, parquet

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten
from ekiben.training.redaction import redact, redact_uri

ROWS, LABELS = "rows-*.parquet", "labels-*.parquet"
MAX_NOTED = 3  # parts left out that are named; the others are counted


class InvalidLog(UserError):
    """The row log or its labels can't be used."""


@dataclass(frozen=True)
class LogFolder:
    """Parts by name, and the parts that had to be left out, with the reason."""

    name: str  # as the user wrote it, without secrets
    rows: tuple[str, ...]  # paths, in the order of their names
    labels: tuple[str, ...]
    files: fs.FileSystem
    left_out: dict[str, str] = field(default_factory=dict)

    def read(self, path: str, required: Sequence[str], others: Sequence[str] = ()) -> pa.Table | None:
        """Return the columns of a part, the others where it has them, and its metadata; None if it is left out."""
        try:
            with (
                self.files.open_input_file(path) as file,
                parquet.ParquetFile(file, page_checksum_verification=True) as part,
            ):
                names = part.schema_arrow.names
                absent = next((name for name in required if name not in names), None)
                if absent is not None:
                    self.leave_out(path, f"it has no column `{shorten(absent)}`")
                    return None
                if len(set(names)) < len(names):
                    self.leave_out(path, "two of its columns have one name")
                    return None
                table = part.read([*required, *(name for name in others if name in names)])
                table.validate(full=True)
                return table.replace_schema_metadata(part.metadata.metadata)  # the file's: not all writers copy it
        except (pa.ArrowException, OSError) as error:
            self.leave_out(path, _first_line(error))
            return None

    def describe_columns(self, wanted: Collection[str]) -> dict[str, pa.DataType]:
        """Return which of these columns any part of rows has, each with the type it has first."""
        columns: dict[str, pa.DataType] = {}
        for path in self.rows:
            if columns.keys() >= set(wanted):
                break
            with suppress(pa.ArrowException, OSError), self.files.open_input_file(path) as file:  # `read` says why
                columns = {field.name: field.type for field in parquet.read_schema(file)} | columns
        return columns

    def leave_out(self, path: str, reason: str) -> None:
        """Keep why a part is not used."""
        self.left_out[path.rpartition("/")[2]] = printable(redact(reason))

    def describe_left_out(self) -> Iterator[str]:
        """Yield a sentence for each of the first parts that were left out, and one for all others."""
        named = list(self.left_out.items())[:MAX_NOTED]
        yield from (f"{part} is left out: {reason}" for part, reason in named)
        others = len(self.left_out) - len(named)
        if others:
            yield f"{others:,} more parts are left out"


def open_folder(folder: str) -> LogFolder:
    """List a folder, or an object store's URL; raise InvalidLog if it can't be listed or has no rows."""
    shown = redact_uri(folder)
    try:
        files, path = fs.FileSystem.from_uri(folder) if "://" in folder else (fs.LocalFileSystem(), folder)
        found = sorted(info.path for info in files.get_file_info(fs.FileSelector(path)) if info.is_file)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        number = getattr(error, "errno", None)  # of a folder here; a store of objects says it in words
        reason = os.strerror(number) if number else redact(_first_line(error), folder)
        raise InvalidLog(f"{shown} can't be listed ({reason}): name the folder LOG_FOLDER of the service") from None
    rows, labels = (tuple(p for p in found if fnmatch(p.rpartition("/")[2], kind)) for kind in (ROWS, LABELS))
    if not rows:
        raise InvalidLog(f"{shown} has no {ROWS}: name the folder that the service logs to (LOG_FOLDER)")
    return LogFolder(shown, rows, labels, files)


def _first_line(error: Any) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")
