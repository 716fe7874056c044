"""How many rows a source has, as cheaply as its kind allows: nothing is parsed.

Parquet, Delta and Iceberg keep the number, a database counts. Of a file of lines the line breaks are counted, and of
one that grew only those that were added; a value with line breaks in it counts several times.
"""

from dataclasses import dataclass
from typing import IO

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.sources import open_source
from ekiben.training.sources.files import is_compressed, is_parquet, is_spreadsheet, open_content, readable

CHUNK_BYTES = 1 << 22
COMPARED_BYTES = 4096  # at the end of what was counted: are they what they were?


@dataclass(frozen=True)
class _Counted:
    """The rows, or lines, of a file as it was."""

    size: int
    changed_ns: int
    rows: int
    end: bytes  # the last bytes


class RowCount:
    """The rows of one source, look by look."""

    def __init__(self, source: BuiltInSource | FileSource | SqlSource) -> None:
        self._source = source
        self._counted: _Counted | None = None

    def look(self) -> int:
        """Return the number of rows; raise InvalidTable if there is no such table, or nothing but reading it counts."""
        if isinstance(self._source, FileSource) and not is_parquet(self._source.path):
            return self._look_at_file(self._source)
        return _ask(self._source)

    def _look_at_file(self, source: FileSource) -> int:
        with readable(source.path):
            found = source.path.stat()
            before = self._counted
            if before is None or (before.size, before.changed_ns) != (found.st_size, found.st_mtime_ns):
                self._counted = _count(source, before, found.st_mtime_ns)
            assert self._counted is not None
            return self._counted.rows


def _ask(source: BuiltInSource | FileSource | SqlSource) -> int:
    opened = open_source(source)
    if opened.rows is None:
        raise InvalidTable(f"only reading {opened.description} would count its rows: use `schedule`, not `new_rows`")
    return opened.rows


def _count(source: FileSource, before: _Counted | None, changed_ns: int) -> _Counted:
    path = source.path
    if is_spreadsheet(path):
        return _Counted(path.stat().st_size, changed_ns, _ask(source), b"")
    if is_compressed(path):
        with open_content(path) as content:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(CHUNK_BYTES), b""))
        return _Counted(path.stat().st_size, changed_ns, lines, b"")
    with path.open("rb") as file:
        lines, size, end = _find_start(file, before)
        file.seek(size)
        while chunk := file.read(CHUNK_BYTES):
            lines += chunk.count(b"\n")
            size += len(chunk)
            end = (end + chunk)[-COMPARED_BYTES:]
    return _Counted(size, changed_ns, lines, end)


def _find_start(file: IO[bytes], before: _Counted | None) -> tuple[int, int, bytes]:
    """Return the lines and bytes that need not be counted again, and the last of these bytes."""
    if before is None or not before.end:
        return 0, 0, b""
    file.seek(before.size - len(before.end))
    return (before.rows, before.size, before.end) if file.read(len(before.end)) == before.end else (0, 0, b"")
