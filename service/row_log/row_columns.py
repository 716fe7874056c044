"""Turns picked rows into columns of a Parquet file."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from arro3.core import Array, DataType, RecordBatch
from numpy.typing import NDArray

from ekiben.contract.feature import Boolean, Category, Feature, Timestamp
from ekiben.contract.log_columns import ID, SHARE, TIME, VERSION, name_answers, name_columns
from ekiben.contract.schema import Schema
from ekiben.contract.timestamps import NAT, to_seconds
from ekiben.service.row_log.kept_rows import Dictionary, Kept, KeptRows, Layout
from ekiben.service.row_log.patience import Patience

HASH_DIGITS = 16
MICROSECONDS = 10**6
TEXT, WHOLE, INDEX, TRUTH, MOMENT = (
    DataType.string(), DataType.int64(), DataType.int32(), DataType.bool(), DataType.timestamp("us")
)  # fmt: skip
UTC_MICROSECONDS = DataType.timestamp("us", tz="UTC")


class Block(NamedTuple):
    """Rows as columns."""

    ids: list[str]
    batch: RecordBatch


class RowColumns:
    """Makes batches of columns, of one schema and one version of its model."""

    def __init__(self, schema: Schema, version: str, share: float, key: bytes) -> None:
        """`key`: of the hashes; an empty one makes plain SHA-256."""
        self._answers = name_answers(schema.target)
        named, layout = name_columns(schema), Layout(schema)
        self._numbers, self._others = (
            [(schema.features[index], named[schema.names[index]]) for index in indices]
            for indices in (layout.numbers, layout.others)
        )
        features = [named[feature.name] for feature in schema.features if feature.log != "drop"]
        self._names = (ID, TIME, VERSION, SHARE, *features, *self._answers)
        self._schema: Any = None  # of the columns: to find it is a tenth of what a block costs
        self._version, self._share, self._key = version, share, key
        repeated = [name for feature, name in self._others if isinstance(feature, Category | Boolean)]
        self.repeated = (VERSION, SHARE, *repeated)  # columns whose values are worth a dictionary

    def to_blocks(self, kept: Sequence[Kept]) -> list[Block]:
        """Return all rows that were kept: in a block for each dictionary."""
        groups: dict[Dictionary, list[Kept]] = {}
        for one in kept:
            groups.setdefault(one.rows.dictionary, []).append(one)
        patience = Patience()
        return [self._to_block(dictionary, group, patience) for dictionary, group in groups.items()]

    def _to_block(self, dictionary: Dictionary, kept: Sequence[Kept], patience: Patience) -> Block:
        numbers, indices = _unite(kept)
        patience.pause()
        ids = [one for some in kept for one in some.list_ids()]
        answers = np.frombuffer(b"".join([one.answers for one in kept]), np.float32).reshape(len(ids), -1)
        times = np.repeat([int(MICROSECONDS * one.answered) for one in kept], list(map(len, kept)))
        columns: dict[str, Any] = {
            ID: Array(ids, TEXT),
            TIME: Array.from_numpy(times).cast(UTC_MICROSECONDS),
            VERSION: Array([self._version], TEXT).take(Array.from_numpy(np.zeros(len(ids), np.int32))),
            SHARE: Array.from_numpy(np.full(len(ids), self._share)),
        }
        patience.pause()
        columns |= dict(zip([name for _, name in self._numbers], _to_columns(numbers), strict=True))
        for (feature, name), row, distinct in zip(self._others, indices, dictionary.features, strict=True):
            patience.pause()
            columns[name] = self._to_array(feature, list(distinct)).take(Array.from_numpy(row))
        for index, name in enumerate(self._answers):
            columns[name] = Array.from_numpy(answers[:, index].astype(np.float64))
        batch = RecordBatch.from_arrays([columns[name] for name in self._names], schema=self._find_schema(columns))
        return Block(ids, batch)

    def _find_schema(self, columns: dict[str, Any]) -> Any:
        if self._schema is None:
            self._schema = RecordBatch.from_pydict({name: columns[name] for name in self._names}).schema
        return self._schema

    def _to_array(self, feature: Feature, values: Sequence[Any]) -> Array:
        if feature.log == "hash":
            return Array([None if value is None else self._hash(value) for value in values], TEXT)
        if isinstance(feature, Boolean):
            return Array(values, TRUTH)
        if isinstance(feature, Timestamp):
            return _to_moments(feature, values)
        return _to_strings(values)

    def _hash(self, value: Any) -> str:
        text = f"{float(value) + 0.0:.17g}" if type(value) in (int, float) else str(value)
        content = text.encode("utf-8", "surrogatepass")
        if self._key:
            return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:HASH_DIGITS]
        return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def _unite(kept: Sequence[Kept]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the numbers and the indices of all rows, (features, rows)."""
    first: dict[KeptRows, int] = {}
    count = 0
    for one in kept:
        if one.rows not in first:
            first[one.rows] = count
            count += len(one.rows)
    numbers = np.concatenate([rows.numbers for rows in first], axis=1)
    indices = np.concatenate([rows.indices for rows in first], axis=1)
    sizes = np.array(list(map(len, kept)))
    ends = np.cumsum(sizes)
    passed_over = np.array([first[one.rows] + one.start for one in kept]) - ends + sizes
    if ends[-1] == count and not passed_over.any():
        return numbers, indices
    order = np.arange(ends[-1]) + np.repeat(passed_over, sizes)  # requests got no answer, or not in order
    return numbers.take(order, axis=1), indices.take(order, axis=1)


def _to_columns(numbers: NDArray[np.float64]) -> list[Array]:
    """Return numbers, (features, rows), as columns with null where NaN stands.

    arro3 makes nulls of Python's values alone, in ten times the time. But a NaN becomes null where it is cast to an
    integer, and what is taken from the index null is null.
    """
    features, rows = numbers.shape
    every, missing = Array.from_numpy(numbers.ravel()), np.isnan(numbers).ravel()
    if missing.any():
        indices = np.where(missing, np.nan, np.arange(numbers.size))
        every = every.take(Array.from_numpy(indices).cast(INDEX))
    return [every.slice(rows * feature, rows) for feature in range(features)]


def _to_moments(feature: Timestamp, values: Sequence[Any]) -> Array:
    """Return moments as the encoder reads them; Arrow reads plain ISO 8601, a tenth of the time, and leaves null."""
    if not (feature.zoned or feature.format):
        moments = Array(values, TEXT).cast(MOMENT)
        if moments.null_count == values.count(None):
            return moments
    seconds = to_seconds(feature, values).tolist()
    counted = [None if second == NAT else MICROSECONDS * second for second in seconds]
    return Array(counted, WHOLE).cast(MOMENT)


def _to_strings(values: Sequence[Any]) -> Array:
    """Return categories as strings: whole numbers as their digits, half of a surrogate pair as ?."""
    try:
        return Array(values, TEXT)
    except (TypeError, UnicodeEncodeError):
        texts = (None if value is None else str(value).encode("utf-8", "replace").decode() for value in values)
        return Array(list(texts), TEXT)
