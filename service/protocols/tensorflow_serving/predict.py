"""The predict call over REST: rows or columns in, rows or columns out."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import orjson

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Columns, Rows
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Schema, Target
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.tensor_values import unwrap_column
from ekiben.contract.tensors import to_tensors
from ekiben.contract.validation import no_rows, show
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.tensorflow_serving.body import read_object
from ekiben.service.settings import Settings
from ekiben.service.threshold import choose_target

ROW_FORM, COLUMN_FORM = "predictions", "outputs"  # also the keys of the answer
Forms = tuple[str, ...]
ROWS, COLUMNS, BOTH = (ROW_FORM,), (COLUMN_FORM,), (ROW_FORM, COLUMN_FORM)


class Wanted(NamedTuple):
    """What a request wants of its answer: its forms, and the target with the threshold that decides."""

    forms: Forms
    target: Target


def build_predict(dataplane: Dataplane, settings: Settings, protocol: str) -> Callable[[Request], Awaitable[bytes]]:
    """Return the function from a request to its answer."""
    decode = build_decode(dataplane)
    bodies = BodyReader(dataplane, settings)

    async def predict(request: Request) -> bytes:
        timeout_s = read_timeout_s(request, settings)
        read = partial(decode, request)
        rows, wanted = bodies.take(request, read) or await bodies.read(request, timeout_s, read)
        prediction = await dataplane.predict(rows, request.left_s(timeout_s), protocol, request.wait_gone, request)
        return encode(wanted.target, prediction.answers, wanted.forms)

    return predict


def build_decode(dataplane: Dataplane) -> Callable[[Request, bytes], tuple[Rows, Wanted]]:
    """Return the function from a request and its body to its rows and what is wanted of the answer."""
    decoder, usual = Decoder(dataplane.model.schema, dataplane.check_count), dataplane.model.schema.target

    def decode(request: Request, body: bytes) -> tuple[Rows, Wanted]:
        rows, forms, parameters = decoder.decode(body)
        target = choose_target(usual, request, parameters) if parameters or request.query else usual
        if forms is not COLUMNS:  # which only TensorFlow Serving has: it takes no other columns
            rows, request.ignored = dataplane.fields.leave_out(rows)
        return rows, Wanted(forms, target)

    return decode


class Decoder:
    """Reads the rows of a body, and the forms in which they are to be answered."""

    def __init__(self, schema: Schema, check_count: Callable[[int], None]) -> None:
        self._names = schema.names
        self._reader = TensorDecoder(schema)
        self._check_count = check_count

    def decode(self, body: bytes) -> tuple[Rows, Forms, Any]:
        """Return the rows, not checked yet, and the parameters beside them, as Vertex AI or MLflow has them.

        Raises BadRequest or InvalidInput if the body holds no rows.
        """
        content = read_object(body, ("instances", "inputs"))
        parameters = content.get("parameters") or content.get("params")
        if "instances" not in content:
            return *self._read_inputs(content["inputs"]), parameters
        instances = content["instances"]
        if not isinstance(instances, list):
            raise InvalidInput(FieldError(None, "instances", f"expected a list of rows, got {show(instances)}"))
        return self._read_list("instances", instances), ROWS, parameters

    def _read_inputs(self, inputs: Any) -> tuple[Rows, Forms]:
        """Return the rows of `inputs`, in which TensorFlow Serving has columns and KServe V1 rows."""
        if isinstance(inputs, dict):
            columns = self._read_columns(inputs)
            if not columns.rows:
                raise no_rows("inputs")
            return columns, COLUMNS
        if not isinstance(inputs, list):
            return self._read_list("inputs", [inputs]), BOTH
        rows = self._read_list("inputs", inputs)
        return rows, ROWS if dict in map(type, inputs) else BOTH

    def _read_list(self, key: str, values: list[Any]) -> Rows:
        """Return the rows of a list of objects, of lists in the features' order, or of a lone feature's values."""
        if not values:
            raise no_rows(key)
        self._check_count(len(values))  # a row costs more memory than its JSON
        kinds = set(map(type, values))
        if kinds == {list}:
            return self._read_columns(self._reader.by_position(values))
        if len(self._names) == 1 and dict not in kinds:
            return self._read_columns({self._names[0]: values})
        return self._reader.read_rows(values)

    def _read_columns(self, columns: Any) -> Columns:
        """Return the rows of columns, (rows,) or (rows, 1); a value alone stands for one row."""
        lists = {name: column if isinstance(column, list | tuple) else [column] for name, column in columns.items()}
        self._check_count(max(map(len, lists.values()), default=0))
        return self._reader.to_columns({name: unwrap_column(column) for name, column in lists.items()})


def encode(target: Target, answers: Answers, forms: Forms, **more: Any) -> bytes:
    """Return the answer's JSON: a list of objects, an object of lists, or both, and what else there is to say."""
    columns = {
        name: column if isinstance(column, list) else column.tolist()
        for name, column in to_tensors(target, answers).items()
    }
    content: dict[str, Any] = {}
    if ROW_FORM in forms:
        content[ROW_FORM] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if COLUMN_FORM in forms:
        content[COLUMN_FORM] = columns
    return orjson.dumps(content | more)
