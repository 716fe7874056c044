"""The tensors in a request's JSON, and where their values are: in it, or raw in the bytes after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ekiben.contract.columns import Column
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.open_inference.binary import SIZE, take_sizes
from ekiben.service.protocols.open_inference.datatypes import (
    DATATYPES,
    Datatype,
    tensor_error,
    unknown_datatype_error,
)
from ekiben.service.protocols.open_inference.decode import NO_TENSORS, Layout, TensorShape, flatten
from ekiben.service.protocols.open_inference.raw_tensors import read_tensors

NO_PARAMETERS: Mapping[str, Any] = {}
HEAD_KEYS = 3  # of a tensor
ONLY_RAW = frozenset({datatype for datatype in DATATYPES.values() if not datatype.field})


@dataclass(slots=True)  # not frozen: that would cost a microsecond
class Sources:
    """Where the values of a request's tensors are."""

    values: Sequence[Any]  # of each tensor, None if they are raw
    raw: Layout  # of those
    sizes: Sequence[Any]  # of the same, as the caller gives them: bytes
    size: int | None = None  # of all of them, if they are numbers of bytes


def read_heads(inputs: list[Any]) -> tuple[list[str], list[Any], list[Datatype]]:
    """Return the names, shapes and datatypes of tensors; raise InvalidInput if one lacks them."""
    try:
        names = [tensor["name"] for tensor in inputs]
        if set(map(type, names)) <= {str}:
            shapes = [tensor["shape"] for tensor in inputs]
            return names, shapes, [DATATYPES[tensor["datatype"]] for tensor in inputs]
    except (KeyError, TypeError):
        pass
    raise next(error for tensor in inputs if (error := _head_error(tensor)))


def find_sources(layout: Layout, inputs: list[Any]) -> Sources:
    """Return where the values of tensors are; raise InvalidInput if that is nowhere, or in two places."""
    if plain := _read_plain(layout, inputs):
        return Sources(plain, NO_TENSORS, ())
    heads = zip(inputs, layout.names, layout.datatypes, layout.shapes, strict=True)
    found = [_find_source(*head) for head in heads]
    values = [values for values, _ in found]
    raw = [index for index, value in enumerate(values) if value is None]
    sizes = [found[index][1] for index in raw]
    numbers = all(type(size) is int and size >= 0 for size in sizes)
    return Sources(values, layout.take(raw), sizes, sum(sizes) if numbers else None)


def read_values(sources: Sources, body: bytes | None, start: int = 0) -> Sequence[Column]:
    """Return the values of tensors, the raw ones from a body in which they begin at `start`; None: there is none."""
    raw, sizes = sources.raw, sources.sizes
    if body is None:
        if sizes:
            missing = "but the header inference-header-content-length is missing"
            raise tensor_error(raw.names[0], f"has the parameter `{SIZE}`, {missing}")
        return sources.values
    left = len(body) - start
    try:
        left = 0 if sources.size == left else take_sizes(raw.names, sizes, left)
    except InvalidInput:
        _check_sizes(raw, sizes, body, start)
        raise
    read = read_tensors(raw, sizes, body, start)
    if left:
        raise BadRequest(400, f"the body has {left} bytes more than its JSON and its tensors")
    if len(read) == len(sources.values):
        return read
    following = iter(read)
    return [next(following) if value is None else value for value in sources.values]


def _check_sizes(raw: Layout, sizes: Sequence[Any], body: bytes, start: int) -> None:
    """Raise InvalidInput if a tensor has not the size that its shape takes: those after it are then short of bytes."""
    for index, size in enumerate(sizes):
        if type(size) is not int or not 0 <= size <= len(body) - start:
            return
        read_tensors(raw.take([index]), [size], body, start)
        start += size


def read_parameters(location: str, holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a request, a tensor or an output."""
    parameters = holder.get("parameters")
    if parameters is None:
        return NO_PARAMETERS
    if not isinstance(parameters, dict):
        raise InvalidInput(FieldError(None, location, f"expected an object as parameters, got {show(parameters)}"))
    return parameters


def _read_plain(layout: Layout, inputs: list[Any]) -> list[Any] | None:
    """Return the values of tensors if they are nothing but flat lists of the same length, at a third of the cost."""
    values = [tensor.get("data") for tensor in inputs]
    count = layout.shapes[0].count
    plain = (
        layout.even
        and count
        and set(map(len, inputs)) == {HEAD_KEYS + 1}  # name, shape and datatype, and so `data` is the other
        and set(map(type, values)) == {list}
        and set(map(len, values)) == {count}
        and list not in set(map(type, [column[0] for column in values]))
        and ONLY_RAW.isdisjoint(layout.datatypes)
    )
    return values if plain else None


def _find_source(
    tensor: Mapping[str, Any], name: str, datatype: Datatype, tensor_shape: TensorShape
) -> tuple[Any, Any]:
    """Return a tensor's values, or None and how many bytes they are."""
    data = tensor.get("data")
    parameters = tensor.get("parameters")
    size = parameters.get(SIZE) if type(parameters) is dict else read_parameters(name, tensor).get(SIZE)
    if size is None:
        if data is None:
            raise tensor_error(name, f"has no values: send them in `data`, or raw with the parameter `{SIZE}`")
        if not datatype.field:
            raise tensor_error(name, "16-bit floats have no form in JSON: send them raw, or as FP32")
        return flatten(name, data, tensor_shape), None
    if data is not None:
        raise tensor_error(name, f"has both `data` and the parameter `{SIZE}`: send one of them")
    return None, size


def _head_error(tensor: Any) -> InvalidInput | None:
    """Return what is wrong with a tensor's name, shape or datatype, if anything is."""
    if not isinstance(tensor, dict):
        return InvalidInput(FieldError(None, "inputs", f"expected a list of tensors, got {show(tensor)} in it"))
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if not isinstance(name, str):
        wrong = f"got {show(name)}" if "name" in tensor else "there is none"
        return InvalidInput(FieldError(None, "inputs", f"expected a string as a tensor's name, {wrong}"))
    for key in ("shape", "datatype"):
        if key not in tensor:
            return tensor_error(name, f"the tensor has no `{key}`")
    known = isinstance(datatype, str) and datatype in DATATYPES
    return None if known else unknown_datatype_error(name, datatype)
