"""MLflow's four forms of JSON, and the list without an object around it that SageMaker's own containers take."""

from collections.abc import Callable, Sequence
from typing import Any

from ekiben.contract.columns import Columns, Rows
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Schema
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.tensor_values import unwrap_column
from ekiben.contract.validation import no_rows, show, suggest
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.invocations.names import check_names

SPLIT, RECORDS, INSTANCES, INPUTS = FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SPLIT_KEYS = ("columns", "data", "index")  # the index is not looked at
TENSOR_KEYS = frozenset({"name", "shape", "datatype"})


def is_open_inference(content: Any) -> bool:
    """Return whether this is an Open Inference request: all its inputs are tensors."""
    inputs = content.get(INPUTS) if isinstance(content, dict) else None
    return isinstance(inputs, list) and bool(inputs) and all(map(_is_tensor, inputs))


class JsonReader:
    """Reads the rows of the one form that is there; other keys are left aside, as MLflow does."""

    def __init__(self, schema: Schema, check_count: Callable[[int], None]) -> None:
        self._names = schema.names
        self._reader = TensorDecoder(schema)
        self._check_count = check_count  # before there is a row for each: it costs more memory than its JSON

    def read(self, content: Any) -> Rows:
        """Return the rows, not checked yet; raise BadRequest or InvalidInput if there are none."""
        form = find_form(content)
        rows = self._read_form(form, content[form])
        if not rows:
            raise no_rows(form)
        return rows

    def _read_form(self, form: str, value: Any) -> Rows:
        if form == SPLIT:
            return self._read_split(value)
        if form == INPUTS and isinstance(value, dict):
            return self._read_columns(value)
        if not isinstance(value, list):
            raise InvalidInput(FieldError(None, form, f"expected a list of rows, got {show(value)}"))
        if form == RECORDS:
            self._check_count(len(value))
            return self._reader.read_rows(value)
        return self.read_list(value)

    def read_list(self, values: list[Any]) -> Rows:
        """Return the rows of a list of objects, of lists in the features' order, or of a lone feature's values."""
        self._check_count(len(values))
        kinds = set(map(type, values))
        if kinds == {list}:
            return self._reader.to_columns(self._reader.by_position(values))
        if len(self._names) == 1 and kinds.isdisjoint((dict, list)):
            return self._reader.to_columns({self._names[0]: values})
        return self._reader.read_rows(values)

    def _read_columns(self, columns: dict[str, Any]) -> Columns:
        """Return the rows of columns, (rows,) or (rows, 1); a value alone stands for one row."""
        lists = {name: column if isinstance(column, list) else [column] for name, column in columns.items()}
        self._check_count(max(map(len, lists.values()), default=0))
        return self._reader.to_columns({name: unwrap_column(column) for name, column in lists.items()})

    def _read_split(self, split: Any) -> Columns:
        """Return the rows of a DataFrame as pandas splits it; without `columns` they are in the features' order."""
        columns, data = check_split(split)
        self._check_count(len(data))
        if columns is None:
            return self._reader.to_columns(self._reader.by_position(data))
        width = len(columns)
        if set(map(len, data)) - {width}:
            index = next(index for index, row in enumerate(data) if len(row) != width)
            sentence = f"expected a list of {width} values, one for each of `columns`, got {len(data[index])}"
            raise InvalidInput(FieldError(index, None, sentence))
        by_name = dict(zip(columns, zip(*data, strict=True), strict=True)) if data else {}
        return self._reader.to_columns(by_name)


def find_form(content: Any) -> str:
    """Return the only one of FORMS that is there; raise BadRequest if it is none or several."""
    if not isinstance(content, dict):
        raise BadRequest(400, f'expected an object such as {{"{RECORDS}": [...]}}, got {show(content)}')
    given = [form for form in FORMS if form in content]
    if not given:
        near = suggest(next(iter(content), ""), FORMS)
        raise BadRequest(400, f"expected one of {', '.join(f'`{form}`' for form in FORMS)}, got none{near}")
    if len(given) > 1:
        raise BadRequest(400, f"both `{given[0]}` and `{given[1]}` are there: send one of them")
    return given[0]


def check_split(split: Any) -> tuple[Sequence[str] | None, list[list[Any]]]:
    """Return the names and the rows of a DataFrame that pandas split; raise InvalidInput if it is none."""
    if not isinstance(split, dict):
        raise _split_error(f'expected an object such as {{"columns": [...], "data": [...]}}, got {show(split)}')
    for key in split:
        if key not in SPLIT_KEYS:
            raise _split_error(f"{show(key)} is not a part of it{suggest(key, SPLIT_KEYS)}")
    columns, data = split.get("columns"), split.get("data")
    if not isinstance(data, list):
        raise _split_error("`data` is missing" if "data" not in split else f"expected rows in `data`, got {show(data)}")
    if set(map(type, data)) - {list}:
        index = next(index for index, row in enumerate(data) if type(row) is not list)
        raise InvalidInput(FieldError(index, None, f"expected a list of values, got {show(data[index])}"))
    if columns is None:
        return None, data
    if not isinstance(columns, list) or set(map(type, columns)) - {str}:
        wrong = next((name for name in columns if type(name) is not str), None) if type(columns) is list else columns
        raise _split_error(
            f"expected a list of names in `columns`, got {show(wrong)}{' in it' * (type(columns) is list)}"
        )
    check_names(columns)
    return columns, data


def _split_error(sentence: str) -> InvalidInput:
    return InvalidInput(FieldError(None, SPLIT, sentence))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= TENSOR_KEYS
