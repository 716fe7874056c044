"""Protobuf by hand: messages that are dear to read."""

from ekiben.load_tests.hostile.rows import MAX_BYTES

MANY = MAX_BYTES // 2 - 2000  # fields of two bytes in the largest message


def typed(field: str, content: bytes) -> bytes:
    """Return a message of one tensor whose contents are these bytes of that field."""
    number = {"bytes_contents": 8, "int_contents": 2, "int64_contents": 3, "bool_contents": 1}[field]
    contents = content * MANY if number == 8 else field_of(number, content * MANY)
    tensor = field_of(1, b"carrier") + field_of(2, b"BYTES") + field_of(5, contents)
    return field_of(1, b"m") + field_of(5, tensor)


def field_of(number: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds these bytes."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def many_tensors() -> bytes:
    """Return a message of as many empty tensors as it holds."""
    return field_of(1, b"m") + b"\x2a\0" * MANY


def unknown_fields() -> bytes:
    """Return a message of as many fields as it holds, none of which is known."""
    return b"\xfa\x3e\0" * (MAX_BYTES // 3 - 1000)
