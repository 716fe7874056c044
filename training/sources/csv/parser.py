"""CSV text → rows of strings, by DuckDB where it leaves a doubt, with what that finds broken in our words."""

import csv
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from ekiben.contract.spellings.quotes import undo_escapes
from ekiben.training.sources.csv.standard import read_standard
from ekiben.training.sources.duck import connect

_READ = """SELECT {names} FROM read_csv($path, auto_detect = false, columns = $columns, header = true,
    delim = $delimiter, quote = $quote, escape = $quote, nullstr = $absent, comment = '', compression = 'none',
    strict_mode = true, parallel = false, max_line_size = $size, buffer_size = $size)"""
_ORIGINAL = re.compile(
    r"Original Line: (.*?)\n?(?:Expected Number|Value with|Invalid unicode|Possible|Maximum)", re.DOTALL
)


@dataclass(frozen=True)
class Quoting:
    """How a value is written that has a delimiter in it, and a quote within such a value."""

    quote: str
    escape: str

    def read(self, lines: Any, delimiter: str) -> Iterator[list[str]]:
        """Read lines by Python's parser, which knows of no errors."""
        ways = {"doublequote": True} if self.escape == self.quote else {"doublequote": False, "escapechar": self.escape}
        quotes = {"quotechar": self.quote, **ways} if self.quote else {"quoting": csv.QUOTE_NONE}
        return csv.reader(lines, delimiter=delimiter, skipinitialspace=not delimiter.isspace(), **quotes)


DOUBLED, BACKSLASH, UNQUOTED = Quoting('"', '"'), Quoting('"', "\\"), Quoting("", "")


@dataclass(frozen=True)
class Parsed:
    """The rows of a text, and whether the last one is all there."""

    rows: pa.Table
    is_complete: bool


class Broken(Exception):
    """A text is no CSV: in which of its rows, counted from 1, and what DuckDB says of it."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        line = re.search(r"Line: (\d+)", said)
        self.row = int(line[1]) - 1 if line else None  # the first line is ours
        original = _ORIGINAL.search(said)
        self.text = original[1].removesuffix("\n") if original else ""


class RowParser:
    """Reads one text after the other, all written alike."""

    def __init__(self, delimiter: str, quoting: Quoting, columns: int) -> None:
        self._delimiter, self._quote = delimiter, quoting.quote
        self._names = [f"c{index}" for index in range(columns)]
        self._options = {
            "columns": dict.fromkeys(self._names, "VARCHAR"),
            "delimiter": delimiter,
            "quote": quoting.quote,
            "absent": secrets.token_hex(8),  # no value is: "" is one too
        }
        self._has_backslashes = quoting.escape == BACKSLASH.escape
        # A row that ends every text: it is not read as one where a quote is still open.
        self._end = ("\1" + secrets.token_hex(8)).replace(delimiter, "\2")
        self._last = delimiter.join([self._end] * columns).encode()

    def __enter__(self) -> Self:
        self._connection = connect(threads=1)  # one parses a text alone, and costs less than two that share one
        self._file = tempfile.NamedTemporaryFile()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._file.close()

    def parse(self, text: bytes, columns: Sequence[int], has_header: bool = True) -> Parsed:
        """Return these columns of all rows, which may be cut off within quotes; raise Broken if that is impossible."""
        if self._has_backslashes:
            text = undo_escapes(text)
        if b"\r" in text:  # what ends rows is one newline for all that read them, and values have the same
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        wanted = [self._names[index] for index in columns]
        if (rows := read_standard(text, self._delimiter, self._quote, self._names, wanted)) is not None:
            return Parsed(rows.slice(has_header), is_complete=True)
        return self._query(text, wanted, has_header)

    def _query(self, text: bytes, wanted: Sequence[str], has_header: bool) -> Parsed:
        """Parse the text between two lines of ours: DuckDB takes the first one's newline for that of all rows."""
        end = b"" if text.endswith(b"\n") else b"\n"
        content = b"".join((self._last, b"\n", text, end, self._last, b"\n"))
        self._file.seek(0)
        self._file.truncate()
        self._file.write(content)
        self._file.flush()
        query = _READ.format(names=", ".join(wanted))
        named = {"path": self._file.name, "size": len(content) + 1}
        try:
            rows = self._connection.sql(query, params={**self._options, **named}).to_arrow_table()
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise Broken(str(error)) from None
        is_complete = rows.num_rows > 0 and rows[0][-1].as_py() == self._end
        return Parsed(rows.slice(has_header, max(0, rows.num_rows - is_complete - has_header)), is_complete)
