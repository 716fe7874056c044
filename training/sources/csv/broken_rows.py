"""What is wrong with a row of a CSV file: which one, in which column, and how to mend it."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.errors import InvalidTable
from ekiben.training.sources.csv.dialect import CsvFormat
from ekiben.training.sources.csv.encoding import explain_encoding
from ekiben.training.sources.csv.parser import Broken
from ekiben.training.sources.csv.swallowed import find_swallowed
from ekiben.training.wording import count

_SHOWN = 60  # characters of a row that an error quotes
_REMEDY = 'a quote within quotes is written ""; where quotes are a part of the values, give --quote none'


@dataclass(frozen=True)
class RowExplainer:
    """Says where a file is broken."""

    path: Path
    columns: Sequence[str]
    csv_format: CsvFormat

    def explain(self, broken: Broken, done: int) -> str:
        """Return the sentence for a text that can't be parsed and begins after that many rows."""
        if broken.row is None:
            return f"{self.path} is not a table: {str(broken).splitlines()[0]}"
        values = self._split(broken.text)
        there = f"{self.path}: {name_row(done + broken.row)}"
        if "unterminated quote" in str(broken):
            place = next((place for place, value in enumerate(values) if "\n" in value), len(values) - 1)
            return self.explain_open_quote(done + broken.row, place, values[place], "closed before its end")
        if "unicode" in str(broken):
            index = [place for place, value in enumerate(values) if "?" in value]
            column = f", column `{self.columns[index[0]]}`" if len(index) == 1 else ""
            return explain_encoding(there + column, self.csv_format.encoding)
        has = f"{count(len(values), 'value')} when split at {json.dumps(self.csv_format.delimiter)}"
        return f"{there} has {has}, and the header {len(self.columns)}: {broken.text[:_SHOWN]!r}"

    def explain_open_quote(self, row: int, place: int, value: str, fault: str = "never closed") -> str:
        """Return the sentence for a value whose quote is not closed where it should be."""
        column = f"column `{self.columns[min(place, len(self.columns) - 1)]}`"
        opened = f"a quote is opened before {value[:_SHOWN]!r} and {fault}"
        return f"{self.path}: {name_row(row)}, {column}: {opened}: {_REMEDY}"

    def explain_unfinished(self, text: bytes, done: int, parsed: int, limit: int) -> str:
        """Return the sentence for a text, after `done` rows, of which only the first rows could be parsed."""
        values = self._split(text.decode(errors="replace"), parsed)
        if len(text) <= limit:
            return self.explain_open_quote(done + parsed + 1, len(values) - 1, values[-1])
        there = f"{self.path}: {name_row(done + parsed + 1)}, {values[-1][:_SHOWN]!r},"
        return f"{there} has more than {limit >> 20} MB: is a quote never closed?"

    def check(self, table: pa.Table, places: Sequence[int], done: int) -> None:
        """Raise InvalidTable if a value of the rows behind those done swallowed other rows, or has quotes to lose."""
        if self.csv_format.trusts_quotes or not table.num_rows:  # Arrow's indices_nonzero crashes where no chunk is
            return
        if self.csv_format.doubts_quotes:
            found, fault = _find_quoted(table, places), "closed, though quotes are a part of the values before"
        else:
            found = find_swallowed(table, places, len(self.columns), self.csv_format.delimiter)
            fault = "closed only after what look like rows (if they are a text, give --quote '\"')"
        if found:
            row, place, value = found
            raise InvalidTable(self.explain_open_quote(done + row + 1, place, value, fault))

    def _split(self, text: str, skipped: int = 0) -> list[str]:
        """Return the values of the first row after those skipped."""
        with _unlimited():
            rows = filter(None, self.csv_format.quoting.read(io.StringIO(text, newline=""), self.csv_format.delimiter))
            for _ in range(skipped):
                next(rows, None)
            return next(rows, [""])


def _find_quoted(table: pa.Table, places: Sequence[int]) -> tuple[int, int, str] | None:
    """Return row, place and value of the first one that stands in quotes."""
    for place, column in zip(places, table.columns, strict=True):
        for row in pc.indices_nonzero(pc.match_substring_regex(column, '^"[^"]*"$')).to_pylist():
            return row, place, column[row].as_py()
    return None


def name_row(number: int) -> str:
    """Return what a row is called."""
    return f"row {number:,} (the header is row 1)"


@contextmanager
def _unlimited() -> Iterator[None]:
    """Let Python's parser read values of any length."""
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)
