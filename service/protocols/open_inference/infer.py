"""Inference over HTTP: JSON, or JSON with raw tensors after it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from contract.check import show
from contract.errors import InvalidInput, Problem
from contract.tensors import input_specs
from service.body import parse_json, read_body
from service.dataplane import Dataplane
from service.errors import BadRequest
from service.http import Request, Response
from service.http import read_timeout_s as read_header_timeout_s
from service.protocols.open_inference.binary import CONTENT_TYPE, SIZE, Tail, length_header, read_length
from service.protocols.open_inference.datatypes import Datatype, find_datatype, refuse, write_raw
from service.protocols.open_inference.decode import (
    Extent,
    RowReader,
    check_names,
    flatten,
    read_flag,
    read_timeout_s,
)
from service.protocols.open_inference.encode import Asked, Output, Selection, to_list
from service.settings import Settings

NO_PARAMETERS: Mapping[str, Any] = {}
_required = itemgetter("name", "datatype", "shape")


@dataclass(slots=True)
class Question:
    """What a request asks."""

    rows: list[Any]
    outputs: Sequence[Asked]
    parameters: Mapping[str, Any]
    id: str | None = None


class Inference:
    """Answers inference requests; whether they name this model is for their route to check."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._protocol = protocol
        self._reader = QuestionReader(dataplane)
        self._selection = Selection(dataplane.model.schema.target)
        self._names = {"model_name": dataplane.model.name, "model_version": dataplane.model.version}

    async def answer(self, request: Request) -> Response:
        """Answer a request over HTTP."""
        timeout_s = read_header_timeout_s(request, self._settings)
        body = await read_body(request, self._settings.max_body_bytes, timeout_s)
        return await self.answer_body(request, body, timeout_s)

    async def answer_body(self, request: Request, body: bytes, timeout_s: float) -> Response:
        """Do the same with a body that was read already."""
        question = self._reader.read(body, read_length(request.headers, body))
        timeout_s = read_timeout_s(question.parameters, timeout_s)
        prediction = await self._dataplane.predict(question.rows, timeout_s, self._protocol, request.wait_gone)
        head = self._names if question.id is None else {**self._names, "id": question.id}
        return encode(head, self._selection.pick(prediction.answers, question.outputs), question.outputs)


class QuestionReader:
    """Reads the bodies of inference requests."""

    def __init__(self, dataplane: Dataplane) -> None:
        schema = dataplane.model.schema
        self._inputs = input_specs(schema)
        self._rows = RowReader(schema, dataplane.check_count)
        self._selection = Selection(schema.target)

    def read(self, body: bytes, length: int | None) -> Question:
        """Return what a body asks, whose first `length` bytes are JSON; None: all of it, 0: it is one raw tensor."""
        if length == 0:
            return self._read_raw(body)
        content = parse_json(body if length is None else body[:length], _nan_to_null)
        if not isinstance(content, dict):
            raise BadRequest(400, f'expected an object such as {{"inputs": [...]}}, got {show(content)}')
        parameters = read_parameters("parameters", content)
        return Question(
            self._read_inputs(content.get("inputs"), None if length is None else Tail(body, length)),
            self._selection.read(_name_outputs(content), read_flag(parameters, "binary_data_output", False)),
            parameters,
            _read_id(content),
        )

    def _read_inputs(self, inputs: Any, tail: Tail | None) -> list[Any]:
        """Return the rows of a request's tensors."""
        if not isinstance(inputs, list):
            raise InvalidInput(Problem(None, "inputs", f"expected a list of tensors, got {show(inputs)}"))
        columns: dict[str, Sequence[Any]] = {}
        extent: Extent | None = None
        alone = len(inputs) == 1
        for tensor in inputs:
            name, given, shape = read_head(tensor)
            datatype = find_datatype(name, given)
            if extent is None or shape != extent.shape:
                extent = self._rows.measure(name, shape, alone)
            columns[name] = _read_values(name, datatype, extent, tensor, tail)
        if tail is not None:
            tail.check_end()
        if len(columns) < len(inputs) or extent is None:
            check_names([tensor["name"] for tensor in inputs])
        assert extent is not None  # there is at least one tensor
        return self._rows.to_rows(columns, extent, texts=not datatype.size, without_nan=tail is None)

    def _read_raw(self, body: bytes) -> Question:
        """Return the question of a body that is the model's only tensor; a text is all of it."""
        if len(self._inputs) > 1:
            sentence = f"a raw request is for models of one input, this one has {len(self._inputs)}: send JSON first"
            raise BadRequest(400, sentence)
        (spec,) = self._inputs
        datatype = find_datatype(spec.name, spec.datatype)
        rows = len(body) // datatype.size if datatype.size else 1
        extent = self._rows.measure(spec.name, [rows], alone=True)
        content = body if datatype.size else len(body).to_bytes(4, "little") + body
        values = Tail(content, 0).take(spec.name, datatype, len(content), rows)
        made = self._rows.to_rows({spec.name: values}, extent, texts=False, without_nan=False)
        return Question(made, self._selection.read((), binary=True), NO_PARAMETERS)


def read_head(tensor: Any) -> tuple[str, Any, Any]:
    """Return a tensor's name, datatype and shape."""
    try:
        name, datatype, shape = _required(tensor)
    except (KeyError, TypeError):
        raise _explain(tensor) from None
    if type(name) is not str:
        raise InvalidInput(Problem(None, "inputs", f"expected a text as a tensor's name, got {show(name)}"))
    return name, datatype, shape


def read_parameters(place: str, holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a request, a tensor or an output."""
    parameters = holder.get("parameters")
    if parameters is None:
        return NO_PARAMETERS
    if not isinstance(parameters, dict):
        raise InvalidInput(Problem(None, place, f"expected an object as parameters, got {show(parameters)}"))
    return parameters


def encode(head: Mapping[str, Any], outputs: Sequence[Output], asked: Sequence[Asked]) -> Response:
    """Return the answer: JSON, and after it what was asked for as binary data."""
    tensors, raw = [], []
    for output, wish in zip(outputs, asked, strict=True):
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if wish.binary:
            content = write_raw(output.datatype, output.values)
            tensor["parameters"] = {SIZE: len(content)}
            raw.append(content)
        else:
            tensor["data"] = to_list(output.values)
        tensors.append(tensor)
    content = orjson.dumps({**head, "outputs": tensors})
    if not raw:
        return Response(content)
    return Response(b"".join((content, *raw)), (length_header(content),), content_type=CONTENT_TYPE)


def _read_values(name: str, datatype: Datatype, extent: Extent, tensor: Mapping[str, Any], tail: Tail | None) -> Any:
    """Return a tensor's values, from its JSON or from what follows it."""
    data = tensor.get("data")
    parameters = tensor.get("parameters")
    if parameters is None or SIZE not in read_parameters(name, tensor):
        if data is None:
            raise refuse(name, f"has no values: send them in `data`, or raw with the parameter `{SIZE}`")
        if not datatype.field:
            raise refuse(name, "16-bit floats have no form in JSON: send them raw, or as FP32")
        return flatten(name, data, extent)
    if data is not None:
        raise refuse(name, f"has both `data` and the parameter `{SIZE}`: send one of them")
    if tail is None:
        raise refuse(name, f"has the parameter `{SIZE}`, but the header inference-header-content-length is missing")
    return tail.take(name, datatype, parameters[SIZE], extent.count)


def _explain(tensor: Any) -> InvalidInput:
    """Return what is missing from a tensor."""
    if not isinstance(tensor, dict):
        return InvalidInput(Problem(None, "inputs", f"expected a list of tensors, got {show(tensor)} in it"))
    missing = next(key for key in ("name", "datatype", "shape") if key not in tensor)
    name = tensor.get("name")
    return InvalidInput(Problem(None, name if isinstance(name, str) else "inputs", f"a tensor has no `{missing}`"))


def _name_outputs(content: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield the names and parameters of the outputs a request asks for."""
    outputs = content.get("outputs") or []
    if not isinstance(outputs, list):
        raise InvalidInput(Problem(None, "outputs", f"expected a list of outputs, got {show(outputs)}"))
    for output in outputs:
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise InvalidInput(Problem(None, "outputs", 'expected objects such as {"name": "…"}'))
        yield output["name"], read_parameters("outputs", output)


def _read_id(content: Mapping[str, Any]) -> str | None:
    given = content.get("id")
    if given is None or (isinstance(given, str) and (given.isascii() or _is_unicode(given))):
        return given
    raise InvalidInput(Problem(None, "id", f"expected a text, got {show(given)}"))


def _is_unicode(text: str) -> bool:
    """Return whether a text can be sent back: a lone surrogate can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nan_to_null(name: str) -> float | None:
    return None if name == "NaN" else float(name)
