"""CSV files, streamed: every value is a string, and "" is one too."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import FileSource
from ekiben.training.sources.dialect import CsvFormat, find_csv_format
from ekiben.training.sources.encoding import explain_encoding, is_utf8
from ekiben.training.sources.files import Content, open_content, readable
from ekiben.training.sources.source import check_asked, check_columns

_BLOCK_BYTES = 1 << 22  # also the longest row
_SHOWN = 60  # characters of a row that an error quotes


@dataclass(frozen=True)
class DelimitedFile:
    """A CSV file, decompressed and decoded as it is read."""

    path: Path
    csv_format: CsvFormat
    columns: tuple[str, ...]
    typed = False
    rows = None

    @classmethod
    def open(cls, source: FileSource) -> "DelimitedFile":
        """Look at the file's beginning; raise InvalidTable if it is not a CSV file."""
        csv_format = find_csv_format(source)
        return cls(
            source.path, csv_format, check_columns(str(source.path), [name.strip() for name in csv_format.header])
        )

    @property
    def description(self) -> str:
        return str(self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.csv_format.notes

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Stream the file; raise InvalidTable, with the row's number, where it is broken."""
        check_asked(self, columns)
        furthest = 0.0
        if self.csv_format.has_rows:
            for batch, share in self._read([self.columns.index(name) for name in columns]):
                furthest = max(furthest, share)
                report(furthest)
                yield batch.rename_columns(list(columns))
        report(1.0)

    def _read(self, indices: Sequence[int]) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Yield the columns at these places, and the share of the file that was read."""
        broken: list[csv.InvalidRow] = []
        names, last = [self.csv_format.header[index] for index in indices], self.csv_format.header[-1]
        end: str | bytes = ""
        with readable(self.path), open_content(self.path) as content, self._as_user_error(broken):
            for done, batch in enumerate(self._open_stream(content, names, broken), 1):
                if batch.num_rows:
                    end = batch[last][-1].as_py()
                    # PyArrow reads far ahead: of what it was given, these blocks are what is done.
                    yield batch.select(names), content.share * min(1.0, done * _BLOCK_BYTES / content.position)
            self._check_closed(end if isinstance(end, bytes) else end.encode(), content.tail)

    def _open_stream(self, content: Content, names: list[str], broken: list[csv.InvalidRow]) -> csv.CSVStreamingReader:
        """Read these columns and the last, which shows how the file ends; unasked, it may be in any encoding."""

        def note(row: csv.InvalidRow) -> str:
            broken.append(row)
            return "error"

        last = self.csv_format.header[-1]
        encoding = "utf8" if is_utf8(self.csv_format.encoding) else self.csv_format.encoding
        return csv.open_csv(
            pa.PythonFile(content, mode="r"),
            # One thread knows the numbers of rows, and is no slower: threads wait for each other.
            csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, encoding=encoding),
            csv.ParseOptions(delimiter=self.csv_format.delimiter, newlines_in_values=True, invalid_row_handler=note),
            csv.ConvertOptions(
                include_columns=list(dict.fromkeys([*names, last])),
                column_types={} if last in names else {last: pa.binary()},
                default_column_type=pa.string(),
                strings_can_be_null=False,
            ),
        )

    @contextmanager
    def _as_user_error(self, broken: list[csv.InvalidRow]) -> Iterator[None]:
        """Turn what PyArrow finds into InvalidTable."""
        try:
            yield
        except UnicodeDecodeError:
            raise InvalidTable(explain_encoding(str(self.path), self.csv_format.encoding)) from None
        except pa.ArrowException as error:
            raise InvalidTable(self._explain(broken, str(error))) from None

    def _explain(self, broken: list[csv.InvalidRow], message: str) -> str:
        if broken:
            row, delimiter = broken[0], json.dumps(self.csv_format.delimiter)
            has = f"{row.actual_columns} {'value' if row.actual_columns == 1 else 'values'} when split at {delimiter}"
            there = f"{self.path}: {_name_row(row.number)} has {has}"
            return f"{there}, and the header {row.expected_columns}: {row.text[:_SHOWN]!r}"
        if "straddling" in message:
            return f"{self.path} has a row of more than {_BLOCK_BYTES >> 20} MB: is a quote never closed?"
        undecodable = re.search(r"column #(\d+): Row #(\d+).*invalid UTF8", message)
        if undecodable:
            index, row_number = map(int, undecodable.groups())
            where = f"{self.path}: {_name_row(row_number)}, column `{self.columns[index]}`"
            return explain_encoding(where, self.csv_format.encoding)
        return f"{self.path} is not a table: {message.splitlines()[0]}"

    def _check_closed(self, end: bytes, tail: bytes) -> None:
        """Raise InvalidTable if the last value runs over lines and has no closing quote: it swallowed rows."""
        if (b"\n" in end or b"\r" in end) and not tail.rstrip(b"\r\n\0").endswith(b'"'):
            shown = end.decode(errors="replace")[:_SHOWN]
            raise InvalidTable(f"{self.path}: a quote is opened before {shown!r} and never closed")


def _name_row(number: int) -> str:
    return f"row {number:,} (the header is row 1)"
