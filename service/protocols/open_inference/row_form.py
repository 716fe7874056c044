"""How the values of one row lie in a message of inference: each after a tag and its length."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from ekiben.service.protocols.open_inference.datatypes import LENGTH, Datatype

RAW_TAG = b"\x3a"  # of the field raw_input_contents, on the wire
MAX_ONE_BYTE = 127  # a length that is one byte


@dataclass(frozen=True, slots=True)
class RowForm:
    """How the values of one row lie in a message, after its head."""

    size: int
    frame: int  # all that is not value, as one number
    mask: int
    values: Struct


def describe_row(datatypes: Sequence[Datatype], contents: Sequence[bytes]) -> RowForm | None:
    """Return the form of contents like these; None if one has not its datatype's size."""
    frame, mask, values = b"", b"", "<"
    for datatype, content in zip(datatypes, contents, strict=True):
        text = len(content) - LENGTH.size
        if len(content) != datatype.size if datatype.size else text < 0 or LENGTH.unpack_from(content)[0] != text:
            return None
        if len(content) > MAX_ONE_BYTE:
            return None
        fixed = b"" if datatype.size else content[: LENGTH.size]
        begun = RAW_TAG + bytes((len(content),)) + fixed
        free = len(content) - len(fixed)
        frame += begun + bytes(free)
        mask += b"\xff" * len(begun) + bytes(free)
        values += f"{len(begun)}x{datatype.code or f'{text}s'}"
    return RowForm(len(frame), int.from_bytes(frame, "little"), int.from_bytes(mask, "little"), Struct(values))
