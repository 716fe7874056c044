"""Thrift's compact protocol, as far as Parquet's metadata needs it; whatever the bytes are, reading them is bounded.

What is read is said by a specification: field number → INT, BINARY, FLAG, another specification for
a struct, or a list of one for a list. All other fields are passed over. A list holds no more values than
there are bytes, and all that is read no more than MAX_STRUCTS structs; what is nested deeper than
MAX_DEPTH or larger than 64 bits is damaged.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

INT, BINARY, FLAG = "int", "binary", "flag"
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BYTES, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
INTEGERS = (I16, I32, I64)
FIXED_BYTES = {TRUE: 1, FALSE: 1, BYTE: 1, DOUBLE: 8, UUID: 16}  # of an element; a field's truth is in its type
MAX_DEPTH = 16
MAX_STRUCTS = 50_000  # some 20 MB of Python's objects, and a second
MAX_VARINT_BITS = 63

Specification = Mapping[int, Any]
Fields = dict[int, Any]


class Damaged(Exception):
    """The bytes are not what they should be."""


class TooLarge(Damaged):
    """The bytes describe more than is read."""


class ThriftReader:
    """Reads structs one after the other; raises Damaged, or IndexError where the bytes end too soon."""

    def __init__(self, data: bytes | bytearray, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self._structs_left = MAX_STRUCTS
        self.position = start

    def read_struct(self, wanted: Specification) -> Fields:
        """Return the fields that are wanted and there, by number."""
        data, number, fields = self._data, 0, {}
        self._structs_left -= 1
        if self._structs_left < 0:
            raise TooLarge(f"there are more than {MAX_STRUCTS} structs")
        while head := data[self.position]:
            self.position += 1
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._read_int()
            specification = wanted.get(number)
            if specification is None:
                if kind > FALSE:
                    self._skip(kind, 0)
            else:
                fields[number] = kind == TRUE if kind <= FALSE else self._read(kind, specification)
        self.position += 1
        if self.position > self._end:
            raise Damaged("a struct ends too late")
        return fields

    def _read(self, kind: int, specification: Any) -> Any:
        if specification is INT and kind in INTEGERS:
            return self._read_int()
        if specification is INT and kind == BYTE:
            self.position += 1
            return self._data[self.position - 1]
        if specification is BINARY and kind == BYTES:
            length = self._skip_bytes()
            return bytes(self._data[self.position - length : self.position])
        if type(specification) is list and kind in (LIST, SET):
            return self._read_list(specification[0])
        if type(specification) is dict and kind == STRUCT:
            return self.read_struct(specification)
        raise Damaged(f"a field has type {kind}")

    def _read_list(self, specification: Any) -> list[Any]:
        kind, count = self._read_list_head()
        return [self._read(kind, specification) for _ in range(count)]

    def _read_list_head(self) -> tuple[int, int]:
        head = self._data[self.position]
        self.position += 1
        count = head >> 4
        if count == 15:
            count = self._read_varint()
        if count > self._end - self.position:
            raise Damaged("a list is longer than the file")
        return head & 15, count

    def _read_int(self) -> int:
        value = self._read_varint()
        return (value >> 1) ^ -(value & 1)

    def _read_varint(self) -> int:
        data, position, value, shift = self._data, self.position, 0, 0
        while (byte := data[position]) > 127:
            value |= (byte & 127) << shift
            shift += 7
            position += 1
            if shift > MAX_VARINT_BITS:
                raise Damaged("a number is too large")
        self.position = position + 1
        return value | byte << shift

    def _skip(self, kind: int, depth: int) -> None:
        """Pass over a value."""
        if depth > MAX_DEPTH:
            raise Damaged("it is nested too deeply")
        if kind in INTEGERS:
            self._read_varint()
        elif kind in FIXED_BYTES:
            self.position += FIXED_BYTES[kind]
        elif kind == BYTES:
            self._skip_bytes()
        elif kind == STRUCT:
            self._skip_struct(depth + 1)
        elif kind in (LIST, SET):
            element, count = self._read_list_head()
            for _ in range(count):
                self._skip(element, depth + 1)
        else:  # a map, which Parquet's metadata doesn't have, or no type at all
            raise Damaged(f"a field has type {kind}")
        if self.position > self._end:
            raise Damaged("a value ends too late")

    def _skip_bytes(self) -> int:
        """Pass over bytes and return how many they are."""
        length = self._read_varint()
        self.position += length
        if self.position > self._end:
            raise Damaged("a value ends too late")
        return length

    def _skip_struct(self, depth: int) -> None:
        while head := self._data[self.position]:
            self.position += 1
            if not head >> 4:
                self._read_varint()
            if head & 15 > FALSE:
                self._skip(head & 15, depth)
        self.position += 1


def write_struct(fields: Sequence[tuple[int, int, Any]]) -> bytes:
    """Return a struct of (number, type, value), in the order of the numbers; a struct in it is written already."""
    output, last = bytearray(), 0
    for number, kind, value in fields:
        if kind == TRUE and not value:
            kind = FALSE
        output.append((number - last) << 4 | kind)
        output += _write_value(kind, value)
        last = number
    return bytes(output) + b"\0"


def write_list(kind: int, values: Sequence[Any]) -> bytes:
    """Return a list, as the value of a field."""
    count = len(values)
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _write_varint(count)
    return head + b"".join(_write_value(kind, value) for value in values)


def _write_value(kind: int, value: Any) -> bytes:
    if kind in INTEGERS:
        return _write_varint(value << 1 if value >= 0 else ~(value << 1))
    if kind == BYTE:
        return bytes([value])
    if kind == BYTES:
        return _write_varint(len(value)) + bytes(value)
    return b"" if kind <= FALSE else bytes(value)


def _write_varint(value: int) -> bytes:
    output = bytearray()
    while value > 127:
        output.append(value & 127 | 128)
        value >>= 7
    return bytes(output) + bytes([value])
