"""CSV with a header row, as MLflow wants it, or without, as SageMaker does."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contract.check import shorten
from contract.errors import InvalidInput, Problem
from contract.tensors import ColumnReader
from service.errors import BadRequest


def read_csv(
    body: bytes, names: Sequence[str], reader: ColumnReader, header: bool | None, check_count: Callable[[int], None]
) -> list[Any]:
    """Return the rows of a CSV body; without a header its columns are in the features' order."""
    records = _parse(body)
    if header is None:
        header = bool(records) and has_header(records[0], names)
    columns = records.pop(0) if header and records else list(names)
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise InvalidInput(Problem(None, shorten(twice), "is there twice in the header: send each column once"))
    check_count(len(records))
    if not records:
        return []
    for index, record in enumerate(records):
        if len(record) != len(columns):
            raise InvalidInput(Problem(index, None, f"expected {len(columns)} cells, got {len(record)}"))
    by_name = dict(zip(columns, zip(*records, strict=True), strict=True))
    return reader.to_rows({name: reader.read_texts(name, cells) for name, cells in by_name.items()})


def has_header(first: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a first row names columns: half of its cells are features' names."""
    known = set(names)
    return 2 * sum(cell in known for cell in first) >= len(first)


def write_csv(columns: Mapping[str, Any]) -> bytes:
    """Return predictions as rows without a header, as SageMaker's batch transform joins them."""
    output = io.StringIO()
    values = (list(column) for column in columns.values())
    csv.writer(output, lineterminator="\n").writerows(zip(*values, strict=True))
    return output.getvalue().encode()


def _parse(body: bytes) -> list[list[str]]:
    """Return the cells of each line that is not empty."""
    try:
        text = body.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [line for line in lines if line]
    except UnicodeDecodeError:
        raise BadRequest(400, "the CSV body is not UTF-8: save it as such") from None
    except csv.Error as error:
        raise BadRequest(400, f"the CSV body can't be read in line {lines.line_num}: {error}") from None
