"""JSON, by DuckDB: an object a line, or an array of objects; strings stay strings, whatever they look like."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.sources.duck import bounded, connect, quote_name
from ekiben.training.sources.files import is_compressed, open_content, readable
from ekiben.training.sources.source import BATCH_ROWS, check_asked, check_columns

_GUESS = """FROM read_json($path, compression = 'uncompressed', records = true, sample_size = -1,
    date_format = '%%', timestamp_format = '%%')"""  # formats that no string has
_READ = "FROM read_json($path, compression = 'uncompressed', records = true, columns = $types)"
_KEPT = re.compile(r"BOOLEAN|BIGINT|UBIGINT|DOUBLE|VARCHAR|JSON|STRUCT.*|MAP.*|.*\[\]", re.DOTALL)
_WHERE = re.compile(r"at byte (\d+) in (?:line|record/value) (\d+): (.*)")

_LINE = re.compile(r"in line (\d+): (.*)")
_CHUNK_BYTES = 1 << 22
_OBJECTS = "a table in JSON is an object a line, or an array of objects"


@dataclass(frozen=True)
class JsonRecords:
    """A JSON file, decompressed to a temporary one where that is needed: it is read twice."""

    path: Path
    types: dict[str, str]  # of its columns, as DuckDB calls them
    typed = True
    rows = None
    notes = ()

    @classmethod
    def open(cls, path: Path) -> "JsonRecords":
        """Look at all records for their columns and types; raise InvalidTable if they are no objects."""
        with _open(path) as (connection, name):
            found = connection.sql(_GUESS, params={"path": name})
            columns = [*zip(found.columns, map(str, found.types), strict=True)]
        types = {column: kind if _KEPT.fullmatch(kind) else "VARCHAR" for column, kind in columns}
        if list(types) == ["json"] and types["json"].startswith(("JSON", "MAP")):
            raise InvalidTable(f"{path} has no columns: {_OBJECTS}")
        for column in check_columns(str(path), list(types)):
            base, _, number = column.rpartition("_")
            if number.isdigit() and base not in types and base.lower() in map(str.lower, types):
                raise InvalidTable(f"{path}: `{base}` is the name of two columns that differ in case: rename one")
        return cls(path, types)

    @property
    def description(self) -> str:
        return str(self.path)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Stream the records in their order."""
        check_asked(self, columns)
        taken = ", ".join(map(self._take, columns))
        furthest = 0.0
        with _open(self.path) as (connection, name):
            found = connection.sql(f"SELECT {taken} {_READ}", params={"path": name, "types": self.types})
            for batch in found.to_arrow_reader(BATCH_ROWS):
                furthest = max(furthest, connection.query_progress() / 100)
                report(min(1.0, furthest))
                yield batch
        report(1.0)

    def _take(self, column: str) -> str:
        """Return a column as SQL: one that holds values of several kinds as text."""
        name = quote_name(column)
        return f"{name} ->> '$' AS {name}" if self.types[column] == "JSON" else name


@contextmanager
def _open(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Open a database and the file, under a name that has no wildcards; turn what DuckDB says into InvalidTable."""
    with ExitStack() as stack:
        stack.enter_context(readable(path))
        stack.enter_context(bounded(path))
        file: IO[bytes] = stack.enter_context(path.open("rb"))
        if is_compressed(path):
            content = stack.enter_context(open_content(path))
            file = stack.enter_context(tempfile.TemporaryFile())
            while chunk := content.read(_CHUNK_BYTES):
                file.write(chunk)
            file.flush()
        connection = stack.enter_context(connect())
        try:
            yield connection, f"/dev/fd/{file.fileno()}"
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise InvalidTable(_explain(path, str(error))) from None


def _explain(path: Path, said: str) -> str:
    """Return one sentence, without DuckDB's advice."""
    where, line = _WHERE.search(said), _LINE.search(said)
    if "expected records" in said:
        return f"{path}: {_OBJECTS}"
    if where:
        reason = f"line {int(where[2]):,}, byte {int(where[1]):,}: {where[3]}"
    else:
        reason = f"line {int(line[1]):,}: {line[2]}" if line else said.splitlines()[0].partition("Error: ")[2]
    return f"{path} can't be read as JSON: {reason.rstrip('. ')}"
