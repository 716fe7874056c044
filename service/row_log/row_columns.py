"""Turns picked rows into columns of a Parquet file."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from arro3.core import Array, DataType, RecordBatch

from ekiben.contract.columns import Columns, to_list
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.contract.timestamps import NAT, to_seconds
from ekiben.service.row_log.picking import Picked

ID, TIME, VERSION, SHARE, ANSWER = "prediction_id", "time", "version", "share", "answer"
HASH_DIGITS = 16
MICROSECONDS = 10**6
UTC_MICROSECONDS = DataType.timestamp("us", tz="UTC")


class RowColumns:
    """Makes batches of columns, of one schema and one version of its model."""

    def __init__(self, schema: Schema, version: str, share: float, key: bytes) -> None:
        """`key`: of the hashes; an empty one makes plain SHA-256."""
        self._features = [feature for feature in schema.features if feature.log != "drop"]
        self._indices = {name: index for index, name in enumerate(schema.names)}
        self._answers = name_answers(schema.target)
        self._names = name_features(
            [feature.name for feature in self._features], {ID, TIME, VERSION, SHARE, *self._answers}
        )
        self._version, self._share, self._key = version, share, key
        repeated = [
            name for f, name in zip(self._features, self._names, strict=True) if isinstance(f, Category | Boolean)
        ]
        self.repeated = (VERSION, SHARE, *repeated)  # columns whose values are worth a dictionary

    def to_batch(self, picks: Sequence[Picked]) -> RecordBatch:
        """Return the rows of all that was picked, one after the other."""
        rows = sum(map(len, picks))
        ids = [one for picked in picks for one in picked.list_ids()]
        times = [int(MICROSECONDS * picked.answered) for picked in picks for _ in picked.indices]
        columns: dict[str, Any] = {
            ID: Array(ids, DataType.string()),
            TIME: Array.from_numpy(np.array(times, np.int64)).cast(UTC_MICROSECONDS),
            VERSION: Array([self._version] * rows, DataType.string()),
            SHARE: Array.from_numpy(np.full(rows, self._share)),
        }
        for feature, name in zip(self._features, self._names, strict=True):
            values = [value for picked in picks for value in self._read_values(picked, feature)]
            columns[name] = self._to_array(feature, values)
        answers = np.concatenate([picked.answers for picked in picks]).astype(np.float64)
        for index, name in enumerate(self._answers):
            columns[name] = Array.from_numpy(np.ascontiguousarray(answers[:, index]))
        return RecordBatch.from_pydict(columns)

    def _read_values(self, picked: Picked, feature: Feature) -> Sequence[Any]:
        rows = picked.rows
        if isinstance(rows, Columns):
            return to_list(rows.values[self._indices[feature.name]])
        return [row[feature.name] for row in rows]

    def _to_array(self, feature: Feature, values: list[Any]) -> Array:
        if feature.log == "hash":
            return Array([None if value is None else self._hash(value) for value in values], DataType.string())
        if isinstance(feature, Number):
            return Array(values, DataType.float64())
        if isinstance(feature, Boolean):
            return Array(values, DataType.bool())
        if isinstance(feature, Timestamp):
            moments = (
                (MICROSECONDS * to_seconds(feature, values)).tolist()
                if None not in values
                else list(_count_microseconds(feature, values))
            )
            return Array(moments, DataType.int64()).cast(DataType.timestamp("us"))
        return _to_strings(values)

    def _hash(self, value: Any) -> str:
        text = f"{float(value):.17g}" if type(value) in (int, float) else str(value)
        content = text.encode("utf-8", "surrogatepass")
        if self._key:
            return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:HASH_DIGITS]
        return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def name_answers(target: Target) -> tuple[str, ...]:
    """Return the columns of the answers: one, or one for each of several classes."""
    return tuple(f"{ANSWER}.{name}" for name in target.outputs) if target.task == "multiclass" else (ANSWER,)


def name_features(names: Sequence[str], reserved: set[str]) -> list[str]:
    """Return the columns of the features: those whose names the log has itself get `feature.` before them."""
    taken = reserved | set(names)
    columns = []
    for name in names:
        column = name
        while column in reserved or (column != name and column in taken):
            column = f"feature.{column}"
        columns.append(column)
    return columns


def _count_microseconds(feature: Timestamp, values: list[Any]) -> Iterator[int | None]:
    for seconds in to_seconds(feature, values).tolist():
        yield None if seconds == NAT else MICROSECONDS * seconds


def _to_strings(values: list[Any]) -> Array:
    """Return categories as strings: whole numbers as their digits, half of a surrogate pair as ?."""
    try:
        return Array(values, DataType.string())
    except (TypeError, UnicodeEncodeError):
        texts = (None if value is None else str(value).encode("utf-8", "replace").decode() for value in values)
        return Array(list(texts), DataType.string())
