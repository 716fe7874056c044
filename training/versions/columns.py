"""A typed column of a table, between pandas and Arrow, and what it is called in a digest.

What a reader makes of a source has one of few types, so that values, and where there is none, are all there is to a
column: `settle` takes the rest away, such as the order of a dictionary.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from ekiben.training.tables.labels import sort_labels

BOOLEAN, LABEL = "boolean", "label:"
ARROW_TYPES = {
    "float32": pa.float32(),
    "float64": pa.float64(),
    BOOLEAN: pa.bool_(),
    "timestamp": pa.timestamp("s"),
    "timestamp:utc": pa.timestamp("s", tz="UTC"),
    "category": pa.string(),
    f"{LABEL}bool": pa.bool_(),
    f"{LABEL}int": pa.int64(),
    f"{LABEL}str": pa.string(),
}
PANDAS_TYPES: Mapping[pa.DataType, object] = {pa.bool_(): pd.BooleanDtype()}


def name_type(values: pa.DataType) -> str:
    """Return what a column of a feature's values is called that have that type."""
    return next(kind for kind, known in ARROW_TYPES.items() if known == values)


class TypedColumn:
    """A column of a table, to be taken in groups of its rows."""

    def __init__(self, column: "pd.Series") -> None:
        self._column = column
        self.kind = find_kind(column)
        if isinstance(column.dtype, pd.CategoricalDtype):
            self._codes = column.cat.codes.to_numpy()
            self._categories = pa.array(column.cat.categories.tolist(), ARROW_TYPES[self.kind])

    def take(self, start: int, stop: int) -> pa.Array:
        """Return the values of these rows in the kind's Arrow type; null is missing."""
        if isinstance(self._column.dtype, pd.CategoricalDtype):
            codes = self._codes[start:stop]
            return self._categories.take(pa.array(codes, mask=codes < 0))
        return pa.Array.from_pandas(self._column.iloc[start:stop], type=ARROW_TYPES[self.kind])


def find_kind(column: "pd.Series") -> str:
    """Return what a column that was read is called; a label's kind says what its classes are."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _name_categories(dtype.categories)
    if isinstance(dtype, pd.BooleanDtype):
        return BOOLEAN
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "timestamp:utc"
    return "timestamp" if dtype.kind == "M" else str(dtype)


def to_series(kind: str, chunks: Sequence[pa.Array]) -> "pd.Series":
    """Return the column that was read, from its groups in their order."""
    column = pa.chunked_array(chunks, ARROW_TYPES[kind])
    if kind.startswith(LABEL):
        return _to_labels(column)
    if kind == "category":
        column = pa.chunked_array([chunk.dictionary_encode() for chunk in chunks]).unify_dictionaries()
    return column.to_pandas(types_mapper=PANDAS_TYPES.get)


def _to_labels(column: pa.ChunkedArray) -> "pd.Series":
    encoded = column.combine_chunks().dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    categories = sort_labels(set(labels))
    position = {label: index for index, label in enumerate(categories)}
    codes = np.array([*(position[label] for label in labels), -1], np.int32)[encoded.indices.fill_null(-1).to_numpy()]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(categories, dtype=object)))


def settle(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as it is read from a snapshot, to the bit: rows numbered from 0, zero without a sign.

    Categories are those that stand in a row, by their first row; labels in their order.
    """
    settled = {name: _settle(frame[name]).reset_index(drop=True) for name in frame}
    return pd.DataFrame(settled, copy=False)


def _settle(column: "pd.Series") -> "pd.Series":
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _settle_categories(column)
    return column + 0 if column.dtype.kind == "f" and _has_negative_zero(column.to_numpy()) else column


def _has_negative_zero(values: np.ndarray) -> bool:
    return bool((np.signbit(values) & (values == 0)).any())


def _settle_categories(column: "pd.Series") -> "pd.Series":
    codes = column.cat.codes.to_numpy()
    first = pd.unique(codes)
    present = first[first >= 0]
    if find_kind(column) != "category":
        present = np.sort(present)
    if len(present) == len(column.cat.categories) and np.array_equal(present, np.arange(len(present))):
        return column
    position = np.full(len(column.cat.categories) + 1, -1, np.int32)
    position[present] = np.arange(len(present))
    categories = column.cat.categories[present]
    return pd.Series(pd.Categorical.from_codes(position[codes], categories), column.index, name=column.name)


def _name_categories(categories: pd.Index) -> str:
    if categories.dtype != object:  # labels are Python's own objects, categories are Arrow's strings
        return "category"
    return f"{LABEL}{type(categories[0]).__name__}" if len(categories) else f"{LABEL}str"
