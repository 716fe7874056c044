"""CSV with a header row, as MLflow wants it, or without, as SageMaker does."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from contract.schema import Schema
from contract.tensors import ColumnReader
from service.errors import BadRequest
from service.protocols.invocations.names import check_names, find_index

Line = list[str]


class CsvReader:
    """Reads the rows of CSV bodies."""

    def __init__(self, schema: Schema, max_rows: int, check_count: Callable[[int], None]) -> None:
        self._names = schema.names
        self._reader = ColumnReader(schema)
        self._max_rows = max_rows
        self._check_count = check_count

    def read(self, body: bytes, header: bool | None) -> list[Any]:
        """Return the rows; without a header their cells are in the features' order. None: look if there is one."""
        text = decode(body)
        lines = read_lines(text)
        records = list(islice(lines, self._max_rows + 2))  # a line costs more memory than its text
        if not records:
            raise BadRequest(400, "the body is empty: send a line of comma-separated values for each row")
        names = records[0] if header or (header is None and has_header(records[0], self._names)) else None
        self._check_count(len(records) + sum(1 for _ in lines) - (names is not None))
        check_widths(text, records, len(self._names if names is None else names), names is not None)
        return self._to_rows(self._names, records) if names is None else self._to_rows(names, records[1:])

    def _to_rows(self, names: Sequence[str], records: list[Line]) -> list[Any]:
        check_names(names)
        if not records:
            return []
        columns = dict(zip(names, zip(*records, strict=True), strict=True))
        for place in find_index(names):
            del columns[names[place]]
        return self._reader.to_rows({name: self._reader.read_texts(name, cells) for name, cells in columns.items()})


def has_header(first: Line, names: Sequence[str]) -> bool:
    """Return whether a first line names columns: half of its cells are features' names."""
    known = set(names)
    return 2 * sum(cell in known for cell in first) >= len(first)


def decode(body: bytes) -> str:
    """Return the text of a body, in UTF-8 with or without a byte order mark."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(400, f"the CSV body is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise BadRequest(400, f"the CSV body has a NUL character in line {line}: save it as plain text in UTF-8")
    return text


def read_lines(text: str) -> Iterator[Line]:
    """Yield the cells of each line that is not empty; raise BadRequest if one can't be read."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        # No `list` of the reader itself: between the steps of a generator other threads get their turn.
        yield from (line for line in lines if line)
    except csv.Error as error:
        raise BadRequest(400, f"the CSV body can't be read in line {lines.line_num}: {error}") from None


def check_widths(text: str, records: list[Line], width: int, named: bool) -> None:
    """Raise BadRequest naming the line that has not that many cells."""
    if set(map(len, records)) == {width}:
        return
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    cells = next(len(line) for line in lines if line and len(line) != width)
    where = "one for each name in the header" if named else "in the order of the features"
    raise BadRequest(400, f"line {lines.line_num}: expected {width} cells, {where}, got {cells}")


def write_csv(columns: Mapping[str, Any]) -> bytes:
    """Return predictions as rows without a header, as SageMaker's batch transform joins them."""
    output = io.StringIO()
    values = (list(column) for column in columns.values())
    csv.writer(output, lineterminator="\n").writerows(zip(*values, strict=True))
    return output.getvalue().encode()
