"""The binary tensor extension: after the JSON of a body its tensors follow raw, in their order."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.columns import Column
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Header
from ekiben.service.protocols.open_inference.datatypes import Datatype, read_raw, tensor_error

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


class BinaryReader:
    """The raw tensors of a body, from which each takes its part."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body = body
        self._position = start

    def take(self, name: str, datatype: Datatype, size: Any, count: int) -> Column:
        """Return the values of the next tensor, which has that many bytes."""
        start = self._position
        left = len(self._body) - start
        if type(size) is not int or not 0 <= size <= left:
            wanted = f"expected a number of bytes, at most the {left} that are left"
            raise tensor_error(name, f"parameter `{SIZE}`: {wanted}, got {show(size)}")
        self._position += size
        return read_raw(name, datatype, self._body, start, size, count)

    def check_end(self) -> None:
        """Raise BadRequest if there is more than the tensors took."""
        if left := len(self._body) - self._position:
            raise BadRequest(400, f"the body has {left} bytes more than its JSON and its tensors")


def length_header(content: bytes) -> Header:
    """Return the header that says how long the JSON of an answer is."""
    return LENGTH_HEADER, b"%d" % len(content)
