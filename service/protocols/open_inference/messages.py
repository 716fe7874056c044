"""The protocol's messages of inference: requests read as columns, answers written.

What tensors say before their values is the same in nearly all messages of a caller, and stays bytes until it is new.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ekiben.contract.columns import Column, Columns
from ekiben.contract.validation import shorten
from ekiben.model.package import PackedModel
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.message_parsing import CONTINUED, MAX_MESSAGES, parse
from ekiben.service.protocols.open_inference.datatypes import (
    DATATYPES,
    STRINGS,
    Datatype,
    decode_strings,
    find_datatype,
    tensor_error,
    write_raw,
)
from ekiben.service.protocols.open_inference.decode import Layout, TensorReader, TensorShape, count_error
from ekiben.service.protocols.open_inference.encode import Output, to_list
from ekiben.service.protocols.open_inference.message_heads import ID_TAG, InputTensor, KnownMessage, MessageHead
from ekiben.service.protocols.open_inference.raw_tensors import read_tensors
from ekiben.service.protocols.open_inference.row_form import MAX_ONE_BYTE
from ekiben.service.protos import message
from ekiben.service.settings import Settings

InferResponse = message("ekiben.ModelInferResponse")
OutputTensor = message("inference.ModelInferResponse.InferOutputTensor")
InferParameter = message("inference.InferParameter")
# Layouts of tensors, and heads of outputs: to read 19 tensors of one row anew was 40 µs of 90.
REMEMBERED, MAX_REMEMBERED_BYTES = 128, 16_384
OUTPUT_TAG, CONTENT_TAG = b"\x2a", b"\x32"  # of the fields outputs and raw_output_contents


class MessageReader:
    """Reads the columns of requests."""

    def __init__(self, dataplane: Dataplane, settings: Settings) -> None:
        self._name = dataplane.model.name
        self._tensors = TensorReader(dataplane.model.schema, dataplane.check_count)
        self._max_values = settings.max_request_rows * len(dataplane.model.schema.features)
        self._remember_layout = lru_cache(REMEMBERED)(self._read_layout)

    def read(self, request: Any) -> Columns:
        """Return the columns of a request, not checked yet."""
        raw = list(request.raw_input_contents)
        if not raw:
            tensors = self._parse_tensors(request.inputs)
            layout = self._measure(tensors)
            heads = zip(layout.names, layout.datatypes, layout.shapes, tensors, strict=True)
            values = [read_typed(name, datatype, shape, tensor.contents) for name, datatype, shape, tensor in heads]
            return self._tensors.to_columns(layout, values, nans=True)
        inputs = tuple(request.inputs)
        short = sum(map(len, inputs)) <= MAX_REMEMBERED_BYTES
        layout = self._remember_layout(inputs) if short else self._read_layout(inputs)
        check_raw_count(self._name, layout.names, len(raw))
        content = b"".join(raw)
        return self._tensors.to_columns(layout, read_tensors(layout, list(map(len, raw)), content, 0), nans=True)

    def read_known(self, message: KnownMessage, layout: Layout) -> Columns:
        """Do the same with a message whose head is known, and what that says of its tensors."""
        return self._tensors.to_row(layout, message.row)

    def read_layout(self, head: MessageHead) -> Layout:
        """Return what a head says of its tensors; raises as `read` does."""
        return self._read_layout(head.inputs)

    def _read_layout(self, inputs: Sequence[bytes]) -> Layout:
        """Return the layout of tensors whose values are raw."""
        tensors = self._parse_tensors(inputs)
        if typed := next((tensor for tensor in tensors if tensor.HasField("contents")), None):
            index = f"'{shorten(typed.name)}' for model '{shorten(self._name)}'"
            raise BadRequest(400, f"contents field must not be specified when using raw_input_contents for {index}")
        return self._measure(tensors)

    def _parse_tensors(self, inputs: Sequence[bytes]) -> list[Any]:
        if len(inputs) > MAX_MESSAGES:
            raise BadRequest(413, f"the message has more than {MAX_MESSAGES} of inputs: send fewer rows at once")
        return [parse(InputTensor, tensor, self._max_values) for tensor in inputs]

    def _measure(self, tensors: Sequence[Any]) -> Layout:
        names = [tensor.name for tensor in tensors]
        datatypes = [find_datatype(tensor.name, tensor.datatype) for tensor in tensors]
        return self._tensors.measure(names, [tensor.shape[:] for tensor in tensors], datatypes)


class Written:
    """A message that is bytes already; it answers what protobuf's would be asked."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def SerializeToString(self) -> bytes:
        """Return the bytes."""
        return self._content


def write_message(model: PackedModel, request_id: str, outputs: Sequence[Output], raw: bool) -> Written:
    """Return the message that answers a request of that id."""
    heads = [
        (write_head(o.name, o.datatype, *o.shape) if raw else write_typed(o)) + write_parameters(o.parameters)
        for o in outputs
    ]
    contents = [write_raw(o.datatype, o.values) for o in outputs] if raw else ()
    return assemble(model, request_id, b"".join([write_field(OUTPUT_TAG, one) for one in heads]), contents)


def assemble(model: PackedModel, request_id: str, outputs: bytes, contents: Iterable[bytes]) -> Written:
    """Return the message that has these fields of outputs, and these raw contents."""
    names = write_names(model.name, model.version)
    begun = names + write_field(ID_TAG, request_id.encode()) if request_id else names
    return Written(b"".join([begun, outputs, *[write_field(CONTENT_TAG, content) for content in contents]]))


def write_field(tag: bytes, content: bytes) -> bytes:
    """Return a field of a message."""
    size, length = len(content), b""
    while size > MAX_ONE_BYTE:
        length += bytes((size & MAX_ONE_BYTE | CONTINUED,))
        size >>= 7
    return b"%b%b%c%b" % (tag, length, size, content)


@lru_cache(REMEMBERED)
def write_names(name: str, version: str) -> bytes:
    """Return what is said of the model that answers."""
    return bytes(InferResponse(model_name=name, model_version=version).SerializeToString())


def check_raw_count(model: str, names: Sequence[str], raw: int) -> None:
    """Raise BadRequest, in Triton's words, unless there is one raw content for each tensor."""
    if raw < len(names):
        index = f"'{shorten(names[raw])}' for model '{shorten(model)}'"
        raise BadRequest(400, f"there are no raw_input_contents for {index}: send one for each input, in order")
    if raw > len(names):
        counted = f"there are {raw} raw_input_contents for {len(names)} inputs"
        raise BadRequest(400, f"{counted}: send one for each, in order")


def read_typed(name: str, datatype: Datatype, tensor_shape: TensorShape, contents: Any) -> Column:
    """Return the values of a tensor's typed contents."""
    if not datatype.field:
        raise tensor_error(name, f"{datatype.name} has no typed contents: send it raw, or as FP32")
    values: list[Any] = getattr(contents, datatype.field)[:]
    if len(values) != tensor_shape.count:
        others = [field.name for field, _ in contents.ListFields() if field.name != datatype.field]
        if others and not values:
            raise tensor_error(name, f"has {others[0]}, its datatype {datatype.name} is for {datatype.field}")
        raise count_error(name, values, tensor_shape)
    return values if datatype.size else decode_strings(name, values)


@lru_cache(REMEMBERED)
def write_head(name: str, datatype: str, *shape: int) -> bytes:
    """Return what is said of an output before its values."""
    return bytes(OutputTensor(name=name, datatype=datatype, shape=shape).SerializeToString())


def write_parameters(parameters: Mapping[str, str]) -> bytes:
    """Return an output's parameters, to stand after the rest of it: a parser takes both as one."""
    if not parameters:
        return b""
    written = {name: InferParameter(string_param=value) for name, value in parameters.items()}
    return bytes(OutputTensor(parameters=written).SerializeToString())


def write_typed(output: Output) -> bytes:
    """Return an output with its values."""
    tensor = OutputTensor(name=output.name, datatype=output.datatype, shape=output.shape)
    values = to_list(output.values)
    field = getattr(tensor.contents, DATATYPES[output.datatype].field)
    field.extend([text.encode() for text in values] if output.datatype == STRINGS else values)
    return bytes(tensor.SerializeToString())
