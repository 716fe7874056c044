"""The binary tensor extension: after the JSON of a body its tensors follow raw, in their order."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Header
from ekiben.service.protocols.open_inference.datatypes import tensor_error

LENGTH_HEADER = b"inference-header-content-length"
SIZE = "binary_data_size"
CONTENT_TYPE = b"application/octet-stream"


def read_length(headers: Mapping[bytes, bytes], body: bytes) -> int | None:
    """Return how long the JSON of a body is, or None if it is all JSON; 0: there is none before a raw tensor."""
    given = headers.get(LENGTH_HEADER)
    if given is None:
        return None
    length = int(given) if given.isdigit() and len(given) < 20 else -1
    if not 0 <= length <= len(body):
        sentence = f"expected how many of the body's {len(body)} bytes are JSON, got {show(given.decode('latin-1'))}"
        raise BadRequest(400, f"{LENGTH_HEADER.decode()}: {sentence}")
    return length


def take_sizes(names: Sequence[str], sizes: Sequence[Any], left: int) -> int:
    """Return how many of the bytes that are left of a body come after tensors of those sizes; raise InvalidInput."""
    for name, size in zip(names, sizes, strict=True):
        if type(size) is not int or not 0 <= size <= left:
            wanted = f"expected a number of bytes, at most the {left} that are left"
            raise tensor_error(name, f"parameter `{SIZE}`: {wanted}, got {show(size)}")
        left -= size
    return left


def length_header(content: bytes) -> Header:
    """Return the header that says how long the JSON of an answer is."""
    return LENGTH_HEADER, b"%d" % len(content)
