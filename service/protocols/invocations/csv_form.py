"""CSV with a header row, as MLflow wants it, or without, as SageMaker does."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from ekiben.contract.columns import NO_ROWS, Columns, merge
from ekiben.contract.schema import Schema
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.service.errors import BadRequest
from ekiben.service.parquet.index_columns import find_index
from ekiben.service.protocols.invocations.csv_lines import BrokenRow, Line, Lines, list_other_quotes
from ekiben.service.protocols.invocations.names import check_names


class CsvReader:
    """Reads the rows of CSV bodies."""

    def __init__(self, schema: Schema, max_rows: int, check_count: Callable[[int], None]) -> None:
        self._names = schema.names
        self._reader = TensorDecoder(schema)
        self._max_rows = max_rows
        self._check_count = check_count

    def read(self, body: bytes, header: bool | None) -> Columns:
        """Return the rows; without a header their cells are in the features' order. None: look if there is one."""
        check_encoding(body)
        try:
            return self._read(Lines(body), header)
        except BrokenRow:
            for quotes in list_other_quotes(body):
                with suppress(BrokenRow):
                    return self._read(Lines(body, quotes), header)
            raise

    def _read(self, lines: Lines, header: bool | None) -> Columns:
        first = next(lines, None)
        if first is None:
            raise BadRequest(400, "the body is empty: send a line of comma-separated values for each row")
        cells = [cell.strip() for cell in first]  # `, ` stands between them in some tables
        named = bool(header or (header is None and has_header(cells, self._names)))
        names = cells if named else self._names
        check_names(names)
        blocks: list[Columns] = []
        rows = 0
        records = lines if named else chain([first], lines)
        # A cell takes more memory than its text: few lines at a time are cells.
        while block := lines.take(records, len(names), named):
            blocks.append(self._to_columns(names, block))
            rows += len(block)
            if rows > self._max_rows:
                self._check_count(rows + sum(1 for _ in records))
        return merge(blocks) if blocks else NO_ROWS

    def _to_columns(self, names: Sequence[str], records: list[Line]) -> Columns:
        columns = dict(zip(names, zip(*records, strict=True), strict=True))
        for index in find_index(names):
            del columns[names[index]]
        read = self._reader.read_strings
        return self._reader.to_columns({name: read(name, cells) for name, cells in columns.items()}, nans=True)


def has_header(first: Line, names: Sequence[str]) -> bool:
    """Return whether a first line names columns: half of its cells are features' names, or all of these are there."""
    known = set(names)
    return 2 * sum(cell in known for cell in first) >= len(first) or known.issubset(first)


def check_encoding(body: bytes) -> None:
    """Raise BadRequest unless a body is text in UTF-8, with or without a byte order mark."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(400, f"the CSV body is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    if (index := body.find(b"\0")) >= 0:
        line = body.count(b"\n", 0, index) + 1
        raise BadRequest(400, f"the CSV body has a NUL character in line {line}: save it as plain text in UTF-8")


def write_csv(columns: Mapping[str, Any]) -> bytes:
    """Return predictions as rows without a header, as SageMaker's batch transform joins them."""
    output = io.StringIO()
    values = (list(column) for column in columns.values())
    csv.writer(output, lineterminator="\n").writerows(zip(*values, strict=True))
    return output.getvalue().encode()
