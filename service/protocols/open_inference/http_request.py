"""What a request over HTTP asks: JSON, JSON with raw tensors after it, or one raw tensor alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson

from ekiben.contract.columns import Columns
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.tensors import input_specs
from ekiben.contract.validation import show, validate_names
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.protocols.open_inference.datatypes import DATATYPES
from ekiben.service.protocols.open_inference.decode import BINARY_OUTPUT, Layout, TensorReader, read_flag
from ekiben.service.protocols.open_inference.encode import RequestedOutput, Selection
from ekiben.service.protocols.open_inference.explanation import explanation_specs, read_explain
from ekiben.service.protocols.open_inference.sources import (
    NO_PARAMETERS,
    Sources,
    find_sources,
    read_heads,
    read_parameters,
    read_values,
)

# JSON before raw tensors: a caller's is nearly always the same but for the id, and reading it was 30 µs of a row's 80.
REMEMBERED_HEADERS, MAX_REMEMBERED_BYTES = 128, 16_384
# A tensor's values in JSON, if they are complete whatever stands around them: there is no bracket, brace or escape.
DATA = re.compile(rb'"data": ?\[((?:[^"\\\[\]{}]++|"[^"\\]*+")*+)\]')
ZERO = b'"data":[0]'
ID = re.compile(rb'\{ ?"id": ?"([\w-]*)", ?')  # as clients write it: first


@dataclass(slots=True)
class InferRequest:
    """What a request asks of its rows."""

    outputs: Sequence[RequestedOutput]
    parameters: Mapping[str, Any]
    id: str | None = None
    explain: int = 0  # at most so many pairs for each row


@dataclass(slots=True)
class Header:
    """What the JSON of a request says."""

    layout: Layout
    sources: Sources
    infer_request: InferRequest
    zeros: bool = False  # it is JSON of one row, of which every value stands where ZERO is written


class InferRequestReader:
    """Reads the bodies of inference requests."""

    def __init__(self, dataplane: Dataplane) -> None:
        schema = dataplane.model.schema
        self._schema = schema
        self._inputs = input_specs(schema)
        self._ignore = dataplane.fields.ignore  # unknown tensors
        self._tensors = TensorReader(schema, dataplane.check_count)
        self._selection = Selection(schema.target)
        self._explained = Selection(schema.target, explanation_specs(schema))
        self._remember_header = lru_cache(REMEMBERED_HEADERS)(self._parse_header)

    def read(self, body: bytes, length: int | None) -> tuple[Columns, InferRequest]:
        """Return the columns of a body and what it asks of them.

        Its first `length` bytes are JSON; None: all of it, 0: it is one raw tensor.
        """
        if length == 0:
            return self._read_raw(body)
        if length is None:
            return self._read_row(body) or self.read_content(parse_json(body, nan_to_null))
        header = self._find_header(body[:length])
        return self._read_columns(header, body, length), header.infer_request

    def read_content(self, content: Any) -> tuple[Columns, InferRequest]:
        """Return the same of a body that is all JSON, once that is parsed."""
        header = self._read_header(content)
        return self._read_columns(header), header.infer_request

    def _read_row(self, body: bytes) -> tuple[Columns, InferRequest] | None:
        """Return the same of a row in plain JSON, None if it is anything else or wrong.

        Its values are parsed apart from what stands around them, which is known from the caller's last request: to
        parse and check the names, shapes and datatypes of 19 tensors takes 25 µs. Each list of values is complete,
        so others in its place change nothing around it: what is around them is read with zeros there.
        """
        first = DATA.search(body)
        if first is None or b"," in first[1] or len(body) > MAX_REMEMBERED_BYTES:
            return None
        pieces = DATA.split(body)
        try:
            header = self._find_header(ZERO.join(pieces[::2]))
            values = orjson.loads(b"[%b]" % b",".join(pieces[1::2]))
        except (BadRequest, InvalidInput, orjson.JSONDecodeError):
            return None  # to be found again, and named
        if not header.zeros or len(pieces) != 2 * len(values) + 1 or len(values) != len(header.layout.names):
            return None
        columns = list(zip(values, strict=True))
        return self._tensors.to_columns(header.layout, columns, nans=False), header.infer_request

    def _find_header(self, written: bytes) -> Header:
        """Return what the JSON before raw tensors says; it is read once for all requests that differ in their id."""
        if len(written) > MAX_REMEMBERED_BYTES:
            return self._parse_header(written)
        found = ID.match(written)
        if not found or b'"id"' in (rest := written[found.end() :]):
            return self._remember_header(written)
        header = self._remember_header(b"{" + rest)
        return replace(header, infer_request=replace(header.infer_request, id=found[1].decode()))

    def _parse_header(self, written: bytes) -> Header:
        header = self._read_header(parse_json(written, nan_to_null))
        layout, count = header.layout, len(header.layout.names)
        one_row = layout.even and layout.shapes[0].count == 1 and header.sources.values == [[0]] * count
        header.zeros = one_row and b"\\" not in written and count == written.count(b'"data"') == written.count(ZERO)
        return header

    def _read_header(self, content: Any) -> Header:
        if not isinstance(content, dict):
            raise BadRequest(400, f'expected an object such as {{"inputs": [...]}}, got {show(content)}')
        parameters = read_parameters("parameters", content)
        layout, sources = self._read_inputs(content.get("inputs"))
        explain = read_explain(parameters)
        selection = self._explained if explain else self._selection
        outputs = selection.read(_name_outputs(content), read_flag(parameters, BINARY_OUTPUT, False))
        return Header(layout, sources, InferRequest(outputs, parameters, _read_id(content), explain))

    def _read_inputs(self, inputs: Any) -> tuple[Layout, Sources]:
        """Return what a request's tensors are, and where their values."""
        if not isinstance(inputs, list):
            raise InvalidInput(FieldError(None, "inputs", f"expected a list of tensors, got {show(inputs)}"))
        if len(inputs) > len(self._inputs) and not self._ignore:  # before anything is made of their values
            names = [tensor.get("name") for tensor in inputs if isinstance(tensor, dict)]
            validate_names(self._schema, [name for name in names if type(name) is str])
        layout = self._tensors.measure(*read_heads(inputs))
        return layout, find_sources(layout, inputs)

    def _read_columns(self, header: Header, body: bytes | None = None, start: int = 0) -> Columns:
        values = read_values(header.sources, body, start)
        return self._tensors.to_columns(header.layout, values, nans=body is not None)

    def _read_raw(self, body: bytes) -> tuple[Columns, InferRequest]:
        """Return the column and the question of a body that is the model's only tensor; a string is all of it."""
        if len(self._inputs) > 1:
            sentence = f"a raw request is for models of one input, this one has {len(self._inputs)}: send JSON first"
            raise BadRequest(400, sentence)
        (spec,) = self._inputs
        datatype = DATATYPES[spec.datatype]
        rows = len(body) // datatype.size if datatype.size else 1
        content = body if datatype.size else len(body).to_bytes(4, "little") + body
        layout = self._tensors.measure([spec.name], [[rows]], [datatype])
        infer_request = InferRequest(self._selection.read((), binary=True), NO_PARAMETERS)
        sources = Sources([None], layout, [len(content)])
        return self._read_columns(Header(layout, sources, infer_request), content), infer_request


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
