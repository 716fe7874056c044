"""Reads protobuf messages of strangers: of a large one its fields are counted first.

Two bytes can become an object of a hundred: 8 MiB of empty fields take up to 0.6 s to parse, in which nothing else
runs, and 340 MiB. The largest honest request has as many values as rows times features, and few messages.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.descriptor import FieldDescriptor as Descriptor
from google.protobuf.message import DecodeError

from ekiben.service.errors import BadRequest
from ekiben.service.offload import LARGE_BYTES

MAX_MESSAGES = 10_000  # of one kind in a message, and unknown fields: tables have fewer columns
VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
SIZES = {START_GROUP: 0, END_GROUP: 0, FIXED32: 4, FIXED64: 8}
CONTINUED = 0x80  # the bit of a varint's bytes but the last
WIDTHS = {
    **dict.fromkeys((Descriptor.TYPE_DOUBLE, Descriptor.TYPE_FIXED64, Descriptor.TYPE_SFIXED64), 8),
    **dict.fromkeys((Descriptor.TYPE_FLOAT, Descriptor.TYPE_FIXED32, Descriptor.TYPE_SFIXED32), 4),
}
WHOLE = (Descriptor.TYPE_STRING, Descriptor.TYPE_BYTES)  # one value, however long


class Field(NamedTuple):
    """What a field's bytes hold: a message, values of that width (0: varints), or one value."""

    name: str
    message: Any = None
    width: int | None = None


UNKNOWN = Field("an unknown field")


def parse(message: Any, body: bytes, max_values: int) -> Any:
    """Return the message; raise BadRequest if it is not one, or holds more values of one field than that."""
    if len(body) > LARGE_BYTES:  # of others the worst takes 3 MiB and 5 ms
        check_fields(message, body, max_values)
    try:
        return message.FromString(body)
    except DecodeError:
        raise BadRequest(400, "the message is not of this method's type: its protobuf can't be read") from None


def check_fields(message: Any, body: bytes, max_values: int) -> None:
    """Raise BadRequest if a field of this message, or of one in it, occurs too often.

    What is not a message of this kind is left to the parser.
    """
    counts: Counter[str] = Counter()
    spans = [(message.DESCRIPTOR, 0, len(body))]
    try:
        while spans:
            descriptor, start, end = spans.pop()
            _count(body, start, end, _describe(descriptor), counts, spans, max_values)
    except IndexError:  # it ends within a field
        return


def _count(
    body: bytes, at: int, end: int, fields: Mapping[int, Field],
    counts: Counter[str], spans: list[Any], max_values: int,
) -> None:  # fmt: skip
    """Count the fields of one message, and note which messages are in it."""
    while at < end:
        tag, at = _read_varint(body, at)
        kind, field = tag & 7, fields.get(tag >> 3, UNKNOWN)
        count = 1
        if kind == VARINT:
            _, at = _read_varint(body, at)
        elif kind == LENGTH:
            size, at = _read_varint(body, at)
            if field.message is not None:
                spans.append((field.message, at, min(at + size, end)))
            elif field.width is not None:
                count = _count_packed(body, at, size, field.width)
            at += size
        elif kind in SIZES:
            at += SIZES[kind]
        else:
            raise IndexError
        counts[field.name] += count
        most = MAX_MESSAGES if field.message is not None or field is UNKNOWN else max_values
        if counts[field.name] > most:
            raise BadRequest(413, f"the message has more than {most} of {field.name}: send fewer rows at once")


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins there, and where the next field does."""
    value = body[at]
    if value < CONTINUED:  # most are of one byte
        return value, at + 1
    value, shift = value & ~CONTINUED, 7
    while body[at := at + 1] & CONTINUED:
        value |= (body[at] & ~CONTINUED) << shift
        shift += 7
    return value | body[at] << shift, at + 1


def _count_packed(body: bytes, at: int, size: int, width: int) -> int:
    if width:
        return size // width
    return int(np.count_nonzero(np.frombuffer(body, np.uint8)[at : at + size] < CONTINUED))


@cache
def _describe(descriptor: Any) -> Mapping[int, Field]:
    """Return a message's fields by number."""
    return {one.number: _describe_field(one) for one in descriptor.fields}


def _describe_field(one: Any) -> Field:
    if one.message_type is not None:
        return Field(one.full_name, message=one.message_type)
    return Field(one.full_name, width=None if one.type in WHOLE else WIDTHS.get(one.type, 0))
