"""What no kernel can do is done once for each different value: columns repeat themselves."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_HEAD = 2048


def read_distinct(strings: pa.Array, read: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Return what a function makes of each string."""
    encoded = strings.dictionary_encode()
    values = pa.array([text if text is None else read(text) for text in encoded.dictionary.to_pylist()], kind)
    return values.take(encoded.indices)


def repeats_itself(strings: pa.Array) -> bool:
    """Return whether a column has few different values, by its beginning: telling them apart costs something too."""
    head = strings.slice(0, _HEAD)
    return len(pc.unique(head)) * 2 <= len(head)
