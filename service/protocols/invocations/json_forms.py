"""MLflow's four forms of JSON."""

from collections.abc import Sequence
from typing import Any

from contract.check import show
from contract.errors import InvalidInput, Problem
from contract.tensors import ColumnReader, unwrap_column
from service.errors import BadRequest

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
TENSOR_KEYS = frozenset({"name", "shape", "datatype"})


def is_open_inference(content: Any) -> bool:
    """Return whether this is an Open Inference request: all its inputs are tensors."""
    inputs = content.get("inputs") if isinstance(content, dict) else None
    return isinstance(inputs, list) and bool(inputs) and all(map(_is_tensor, inputs))


def read_forms(content: Any, names: Sequence[str], reader: ColumnReader) -> list[Any]:
    """Return the rows of the one form that is there; other keys are left aside, as MLflow does."""
    if not isinstance(content, dict):
        raise BadRequest(400, f'expected an object such as {{"dataframe_records": [...]}}, got {show(content)}')
    given = [form for form in FORMS if form in content]
    if len(given) != 1:
        found = " and ".join(f"`{form}`" for form in given) or "none"
        raise BadRequest(400, f"expected one of {', '.join(f'`{form}`' for form in FORMS)}, got {found}")
    (form,) = given
    value = content[form]
    if form == "dataframe_split":
        return _read_split(value, reader)
    if isinstance(value, dict) and form in ("inputs", "instances"):
        return _read_columns(form, value, reader)
    if not isinstance(value, list):
        raise InvalidInput(Problem(None, form, f"expected a list of rows, got {show(value)}"))
    return _read_rows(value, names, reader)


def _read_rows(rows: list[Any], names: Sequence[str], reader: ColumnReader) -> list[Any]:
    """Return records, or rows that hold their values in the features' order."""
    kinds = set(map(type, rows))
    if kinds == {list}:
        return reader.to_rows(reader.by_place(rows))
    if len(names) == 1 and rows and dict not in kinds and list not in kinds:
        return reader.to_rows({names[0]: rows})
    return reader.read_rows(rows)


def _read_columns(form: str, columns: dict[str, Any], reader: ColumnReader) -> list[Any]:
    for name, column in columns.items():
        if not isinstance(column, list):
            raise InvalidInput(Problem(None, name, f"expected a list of values in `{form}`, got {show(column)}"))
    return reader.to_rows({name: unwrap_column(column) for name, column in columns.items()})


def _read_split(split: Any, reader: ColumnReader) -> list[Any]:
    """Return the rows of a DataFrame as pandas splits it."""
    columns = split.get("columns") if isinstance(split, dict) else None
    data = split.get("data") if isinstance(split, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list) or not set(map(type, columns)) <= {str}:
        raise BadRequest(400, 'dataframe_split: expected {"columns": [names], "data": [rows]}')
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise InvalidInput(Problem(None, twice, "is there twice in dataframe_split: send each column once"))
    for index, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            got = f"{len(row)} values" if isinstance(row, list) else show(row)
            raise InvalidInput(Problem(index, None, f"expected a list of {len(columns)} values, got {got}"))
    return reader.to_rows(dict(zip(columns, zip(*data, strict=True), strict=True))) if data else []


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= TENSOR_KEYS
