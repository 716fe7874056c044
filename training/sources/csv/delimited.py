"""CSV files, streamed: every value is a string as it stands, and "" is one too."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import FileSource
from ekiben.training.sources.csv.ahead import read_ahead
from ekiben.training.sources.csv.broken_rows import RowExplainer
from ekiben.training.sources.csv.dialect import CsvFormat, find_csv_format
from ekiben.training.sources.csv.encoding import explain_encoding
from ekiben.training.sources.csv.parser import Broken, RowParser
from ekiben.training.sources.csv.segments import LONGEST_ROW, read_segments
from ekiben.training.sources.duck import bounded
from ekiben.training.sources.files import Content, open_content, readable
from ekiben.training.sources.source import BATCH_ROWS, check_asked, check_columns


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
        for table, share in read_ahead(self._read([self.columns.index(name) for name in columns])):
            report(share)
            yield from table.rename_columns(list(columns)).to_batches(BATCH_ROWS)
        report(1.0)

    def _read(self, indices: Sequence[int]) -> Generator[tuple[pa.Table, float], None, None]:
        """Yield the columns at these places, and the share of the file that was read."""
        with (
            readable(self.path),
            bounded(self.path),
            open_content(self.path) as content,
            RowParser(self.csv_format.delimiter, self.csv_format.quoting, len(self.columns)) as parser,
        ):
            try:
                for table in self._parse(content, parser, indices):
                    yield table, content.share
            except UnicodeDecodeError:
                raise InvalidTable(explain_encoding(str(self.path), self.csv_format.encoding)) from None

    def _parse(self, content: Content, parser: RowParser, indices: Sequence[int]) -> Iterator[pa.Table]:
        """Yield tables of whole rows: a text that ends within quotes is parsed again with what follows."""
        explainer = RowExplainer(self.path, self.columns, self.csv_format)
        done, held, parsed_rows = 0, b"", 0  # rows, with the header
        for segment in read_segments(content, self.csv_format):
            held += segment
            if len(held) > LONGEST_ROW:
                break
            try:
                parsed = parser.parse(held, indices, has_header=not done)
            except Broken as broken:
                raise InvalidTable(explainer.explain(broken, done)) from None
            parsed_rows = parsed.rows.num_rows + (not done)
            if parsed.is_complete:
                explainer.check(parsed.rows, indices, done or 1)
                done, held, parsed_rows = done + parsed_rows, b"", 0
                yield parsed.rows
        if held:
            raise InvalidTable(explainer.explain_unfinished(held, done, parsed_rows, LONGEST_ROW))
