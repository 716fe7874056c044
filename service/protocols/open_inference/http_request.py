"""What a request over HTTP asks: JSON, JSON with raw tensors after it, or one raw tensor alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from ekiben.contract.columns import Column, Columns
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.tensors import input_specs
from ekiben.contract.validation import show, validate_names
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.protocols.open_inference.binary import SIZE, BinaryReader
from ekiben.service.protocols.open_inference.datatypes import DATATYPES, Datatype, tensor_error, unknown_datatype_error
from ekiben.service.protocols.open_inference.decode import Head, TensorReader, TensorShape, flatten, read_flag
from ekiben.service.protocols.open_inference.encode import RequestedOutput, Selection

# Of JSON before raw tensors: a caller's is nearly always the same, and to parse it is a fifth of a row's cost.
REMEMBERED_HEADERS, MAX_REMEMBERED_BYTES = 64, 16_384
NO_PARAMETERS: Mapping[str, Any] = {}


@dataclass(slots=True)
class InferRequest:
    """What a request asks of its rows."""

    outputs: Sequence[RequestedOutput]
    parameters: Mapping[str, Any]
    id: str | None = None


class InferRequestReader:
    """Reads the bodies of inference requests."""

    def __init__(self, dataplane: Dataplane) -> None:
        schema = dataplane.model.schema
        self._schema = schema
        self._inputs = input_specs(schema)
        self._tensors = TensorReader(schema, dataplane.check_count)
        self._selection = Selection(schema.target)

    def read(self, body: bytes, length: int | None) -> tuple[Columns, InferRequest]:
        """Return the columns of a body and what it asks of them.

        Its first `length` bytes are JSON; None: all of it, 0: it is one raw tensor.
        """
        if length == 0:
            return self._read_raw(body)
        if length is None:
            return self.read_content(parse_json(body, nan_to_null))
        return self.read_content(parse_header(body[:length]), BinaryReader(body, length))

    def read_content(self, content: Any, binary_reader: BinaryReader | None = None) -> tuple[Columns, InferRequest]:
        """Return the same of a body's JSON and the raw tensors after it."""
        if not isinstance(content, dict):
            raise BadRequest(400, f'expected an object such as {{"inputs": [...]}}, got {show(content)}')
        parameters = read_parameters("parameters", content)
        columns = self._read_inputs(content.get("inputs"), binary_reader)
        return columns, InferRequest(
            self._selection.read(_name_outputs(content), read_flag(parameters, "binary_data_output", False)),
            parameters,
            _read_id(content),
        )

    def _read_inputs(self, inputs: Any, binary_reader: BinaryReader | None) -> Columns:
        """Return the columns of a request's tensors."""
        if not isinstance(inputs, list):
            raise InvalidInput(FieldError(None, "inputs", f"expected a list of tensors, got {show(inputs)}"))
        if len(inputs) > len(self._inputs):  # before anything is made of their values
            names = [tensor.get("name") for tensor in inputs if isinstance(tensor, dict)]
            validate_names(self._schema, [name for name in names if type(name) is str])

        read_values = partial(_read_values, binary_reader)
        heads = _read_heads(inputs, binary_reader)
        return self._tensors.read(heads, len(inputs), read_values, nans=binary_reader is not None)

    def _read_raw(self, body: bytes) -> tuple[Columns, InferRequest]:
        """Return the column and the question of a body that is the model's only tensor; a string is all of it."""
        if len(self._inputs) > 1:
            sentence = f"a raw request is for models of one input, this one has {len(self._inputs)}: send JSON first"
            raise BadRequest(400, sentence)
        (spec,) = self._inputs
        datatype = DATATYPES[spec.datatype]
        rows = len(body) // datatype.size if datatype.size else 1
        content = body if datatype.size else len(body).to_bytes(4, "little") + body
        tensor = {"name": spec.name, "shape": [rows], "datatype": spec.datatype, "parameters": {SIZE: len(content)}}
        columns = self._read_inputs([tensor], BinaryReader(content, 0))
        return columns, InferRequest(self._selection.read((), binary=True), NO_PARAMETERS)


def parse_header(header: bytes) -> Any:
    """Return what the JSON before raw tensors holds."""
    return _remember_header(header) if len(header) <= MAX_REMEMBERED_BYTES else parse_json(header, nan_to_null)


@lru_cache(REMEMBERED_HEADERS)
def _remember_header(header: bytes) -> Any:
    return parse_json(header, nan_to_null)


def read_parameters(location: str, holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a request, a tensor or an output."""
    parameters = holder.get("parameters")
    if parameters is None:
        return NO_PARAMETERS
    if not isinstance(parameters, dict):
        raise InvalidInput(FieldError(None, location, f"expected an object as parameters, got {show(parameters)}"))
    return parameters


def _read_heads(inputs: list[Any], binary_reader: BinaryReader | None) -> Iterator[Head]:
    """Yield what each tensor says of itself; then check that nothing comes after them."""
    for tensor in inputs:
        try:
            name, shape, datatype = tensor["name"], tensor["shape"], DATATYPES[tensor["datatype"]]
        except (KeyError, TypeError):
            raise head_error(tensor) from None
        if type(name) is not str:
            raise head_error(tensor)
        yield name, shape, datatype, tensor
    if binary_reader is not None:
        binary_reader.check_end()


def _read_values(
    binary_reader: BinaryReader | None,
    name: str,
    datatype: Datatype,
    tensor_shape: TensorShape,
    tensor: Mapping[str, Any],
) -> Column:
    """Return a tensor's values, from its JSON or from what follows it."""
    data = tensor.get("data")
    parameters = tensor.get("parameters")
    size = parameters.get(SIZE) if type(parameters) is dict else read_parameters(name, tensor).get(SIZE)
    if size is None:
        if data is None:
            raise tensor_error(name, f"has no values: send them in `data`, or raw with the parameter `{SIZE}`")
        if not datatype.field:
            raise tensor_error(name, "16-bit floats have no form in JSON: send them raw, or as FP32")
        return flatten(name, data, tensor_shape)
    if data is not None:
        raise tensor_error(name, f"has both `data` and the parameter `{SIZE}`: send one of them")
    if binary_reader is None:
        raise tensor_error(
            name, f"has the parameter `{SIZE}`, but the header inference-header-content-length is missing"
        )
    return binary_reader.take(name, datatype, size, tensor_shape.count)


def head_error(tensor: Any) -> InvalidInput:
    """Return what is wrong with a tensor's name, shape or datatype."""
    if not isinstance(tensor, dict):
        return InvalidInput(FieldError(None, "inputs", f"expected a list of tensors, got {show(tensor)} in it"))
    name = tensor.get("name")
    if not isinstance(name, str):
        wrong = f"got {show(name)}" if "name" in tensor else "there is none"
        return InvalidInput(FieldError(None, "inputs", f"expected a string as a tensor's name, {wrong}"))
    missing = [key for key in ("shape", "datatype") if key not in tensor]
    return (
        tensor_error(name, f"the tensor has no `{missing[0]}`")
        if missing
        else unknown_datatype_error(name, tensor["datatype"])
    )


def _name_outputs(content: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield the names and parameters of the outputs a request asks for."""
    outputs = content.get("outputs") or []
    if not isinstance(outputs, list):
        raise InvalidInput(FieldError(None, "outputs", f"expected a list of outputs, got {show(outputs)}"))
    for output in outputs:
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise InvalidInput(FieldError(None, "outputs", 'expected objects such as {"name": "…"}'))
        yield output["name"], read_parameters("outputs", output)


def _read_id(content: Mapping[str, Any]) -> str | None:
    given = content.get("id")
    if given is None or (isinstance(given, str) and (given.isascii() or _is_unicode(given))):
        return given
    raise InvalidInput(FieldError(None, "id", f"expected a string, got {show(given)}"))


def _is_unicode(text: str) -> bool:
    """Return whether a string can be sent back: a lone surrogate can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
