"""The types that all of Arrow's kernels know, for those that only some know."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.typed_durations import write_duration

TICKS_OF = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second, by a type's unit

_PLAINER: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], pa.DataType]]] = (
    (pa.types.is_large_string, lambda _: pa.string()),
    (pa.types.is_string_view, lambda _: pa.string()),
    (pa.types.is_binary_view, lambda _: pa.binary()),
    (pa.types.is_float16, lambda _: pa.float32()),
    (pa.types.is_decimal32, lambda given: pa.decimal128(given.precision, given.scale)),
    (pa.types.is_decimal64, lambda given: pa.decimal128(given.precision, given.scale)),
)


def unpack(raw: pa.Array) -> pa.Array:
    """Return the values in one of the types that all kernels know."""
    if isinstance(raw, pa.ExtensionArray):
        raw = raw.storage
    if pa.types.is_dictionary(raw.type):
        raw = pa.DictionaryArray.from_arrays(raw.indices, unpack(raw.dictionary)).dictionary_decode()
    if pa.types.is_run_end_encoded(raw.type):
        raw = pc.run_end_decode(raw)
    if pa.types.is_duration(raw.type):
        return _write_durations(raw)
    plainer = next((plainer for is_odd, plainer in _PLAINER if is_odd(raw.type)), None)
    return raw if plainer is None else raw.cast(plainer(raw.type))


def _write_durations(raw: pa.DurationArray) -> pa.StringArray:
    """Return durations as the strings that a CSV file would have, so that they are read as those."""
    encoded = raw.cast(pa.int64()).dictionary_encode()
    ticks, per_second = encoded.dictionary.to_pylist(), TICKS_OF[raw.type.unit]
    return pa.array([write_duration(each, per_second) for each in ticks], pa.string()).take(encoded.indices)
