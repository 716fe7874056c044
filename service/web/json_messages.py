"""Messages as JSON (https://protobuf.dev/programming-guides/json): from strangers' JSON to protobuf, and back.

What is written here are the bytes that gRPC carries, so what comes after is the same for both. A value costs 2 to 5 µs,
a hundred times what protobuf does: who sends many rows sends protobuf.
"""

from functools import cache
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message_factory import GetMessageClass

from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.message_parsing import MAX_MESSAGES
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.offload import LARGE_BYTES, offload
from ekiben.service.protos import pool

MAX_VALUES = 50_000  # a quarter of a second, in which others get half of the CPU
MAX_INLINE_VALUES, MAX_INLINE_BYTES = 500, 4096  # of a request and of an answer: 2 ms
MAX_DEPTH = 32  # of messages in messages: the deepest there is has six
MAX_REASON = 200  # characters of what the parser says


class Types(NamedTuple):
    """The messages of a method."""

    request: Any
    answer: Any


@cache
def find_types(path: str) -> Types:
    """Return the messages of `/service/method` as its `.proto` file has them; raise KeyError if none has it."""
    method = pool.FindMethodByName(path.strip("/").replace("/", "."))
    return Types(GetMessageClass(method.input_type), GetMessageClass(method.output_type))


async def from_json(path: str, body: bytes, max_values: int) -> bytes:
    """Return the message that JSON holds; raise BadRequest if it isn't one of this method, or holds too much."""
    request = find_types(path).request
    if len(body) > LARGE_BYTES or body.count(b",") > MAX_INLINE_VALUES:
        return await offload(parse_message, request, body, max_values)
    return parse_message(request, body, max_values)


async def to_json(path: str, message: bytes) -> bytes:
    """Return an answer as JSON."""
    answer = find_types(path).answer
    if len(message) > MAX_INLINE_BYTES:
        return await offload(write_message, answer, message)
    return write_message(answer, message)


def parse_message(kind: Any, body: bytes, max_values: int) -> bytes:
    """Return a message's bytes."""
    if len(body) > LARGE_BYTES:
        check_counts(body, max_values)
    content = parse_json(body, name="the message")
    if not isinstance(content, dict):
        raise BadRequest(400, f"the message: expected an object, got {show(content)}")
    try:
        parsed = ParseDict(content, kind(), descriptor_pool=pool, max_recursion_depth=MAX_DEPTH)
        return bytes(parsed.SerializeToString())
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")[:MAX_REASON]
    raise BadRequest(400, f"the message is not of this method's type: {reason}")


def check_counts(body: bytes, max_values: int) -> None:
    """Raise BadRequest if JSON may hold more messages or values than a request has: each is an object of Python's."""
    for character, what, most in (
        (b"{", "objects", MAX_MESSAGES),
        (b",", "values", min(max_values + MAX_MESSAGES, MAX_VALUES)),
    ):
        if body.count(character) > most:
            raise BadRequest(413, f"the message has more than {most} {what}: send fewer rows at once, or protobuf")


def write_message(kind: Any, message: bytes) -> bytes:
    """Return a message's JSON."""
    return MessageToJson(kind.FromString(message), indent=None, descriptor_pool=pool).encode()
