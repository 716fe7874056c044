"""Arrow types as they come from files → those that every kernel knows."""

import numpy as np
import pyarrow as pa

_SIMPLE = {
    pa.float16(): pa.float32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), "u1").reshape(256, 2)
_UUID_CHARACTERS = 36


def simplify_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column of this type is read as."""
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return simplify_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), simplify_type(kind.value_type))
    return _SIMPLE.get(kind, kind)


def simplify_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns with simple types."""
    return pa.schema([pa.field(field.name, simplify_type(field.type)) for field in schema])


def unify(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """Return the types that hold both schemas' values; raise ArrowException if a column has none.

    A column that is a dictionary in one and none in the other becomes what it holds.
    """
    return pa.schema([pa.field(one.name, _widen(one.type, second.field(one.name).type)) for one in first])


def cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return the values as that type; raise ArrowException if one doesn't fit."""
    if isinstance(values.type, pa.UuidType):
        values = _write_uuids(values.storage)
    elif isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
    return values if values.type == kind else values.cast(kind)


def _widen(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one != other:
        one, other = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, other))
    schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def _write_uuids(values: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """Return such as 6f9619ff-8b86-d011-b42d-00cf4fc964ff."""
    missing = np.asarray(values.is_null())
    raw = np.frombuffer(b"".join(value or bytes(16) for value in values.to_pylist()), "u1").reshape(-1, 16)
    text = np.insert(_HEX[raw].reshape(-1, 32), [8, 12, 16, 20], ord("-"), axis=1)
    strings = np.ascontiguousarray(text).view(f"S{_UUID_CHARACTERS}").ravel().astype(str)
    return pa.array(strings, pa.string(), mask=missing)
