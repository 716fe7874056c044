"""Turns picked rows into columns of a Parquet file."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from arro3.core import Array, DataType, RecordBatch
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Column, Columns, Transposer, merge, to_list
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.log_columns import ID, SHARE, TIME, VERSION, name_answers, name_columns
from ekiben.contract.schema import Schema
from ekiben.contract.timestamps import NAT, to_seconds
from ekiben.service.row_log.picking import Picked

HASH_DIGITS = 16
MICROSECONDS = 10**6
TEXT, REAL, WHOLE, TRUTH, MOMENT = (
    DataType.string(), DataType.float64(), DataType.int64(), DataType.bool(), DataType.timestamp("us")
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
        kept = [feature for feature in schema.features if feature.log != "drop"]
        names = name_columns(schema)
        self._features = [(one, names[one.name], schema.names.index(one.name)) for one in kept]
        self._transposer = Transposer(schema.names)
        self._schema: Any = None  # of the columns: to find it is a tenth of what a block costs
        self._version, self._share, self._key = version, share, key
        repeated = [name for feature, name, _ in self._features if isinstance(feature, Category | Boolean)]
        self.repeated = (VERSION, SHARE, *repeated)  # columns whose values are worth a dictionary

    def to_blocks(self, picks: Sequence[Picked]) -> list[Block]:
        """Return the rows of all that was picked: those that came as rows, and those that came as columns."""
        blocks, rows, columns = [], [], []
        listed = [picked for picked in picks if isinstance(picked.rows, list)]
        for picked in picks:
            if isinstance(picked.rows, Columns):
                columns.append(picked.rows)
            else:
                rows += picked.rows
        if rows:
            transposed = self._transposer.transpose(rows)
            assert transposed is not None  # they fit the schema
            blocks.append(self._to_block(listed, transposed))
        if columns:
            others = [picked for picked in picks if isinstance(picked.rows, Columns)]
            blocks.append(self._to_block(others, merge(columns)))
        return blocks

    def _to_block(self, picks: Sequence[Picked], rows: Columns) -> Block:
        ids = [one for picked in picks for one in picked.list_ids()]
        times = np.repeat([picked.answered for picked in picks], list(map(len, picks)))
        return self.to_block(ids, times, rows, np.concatenate([picked.answers for picked in picks]))

    def to_block(
        self, ids: list[str], answered: Sequence[float] | NDArray[Any], rows: Columns, answers: Answers
    ) -> Block:
        """Return rows as a block: their ids, when they were answered in seconds since 1970, (rows, outputs)."""
        times = (MICROSECONDS * np.array(answered)).astype(np.int64)
        columns: dict[str, Any] = {
            ID: Array(ids, TEXT),
            TIME: Array.from_numpy(times).cast(UTC_MICROSECONDS),
            VERSION: Array([self._version] * len(ids), TEXT),
            SHARE: Array.from_numpy(np.full(len(ids), self._share)),
        }
        for feature, name, index in self._features:
            columns[name] = self._to_array(feature, rows.values[index])
        for index, name in enumerate(self._answers):
            columns[name] = Array.from_numpy(answers[:, index].astype(np.float64))
        if self._schema is None:
            self._schema = RecordBatch.from_pydict(columns).schema
        return Block(ids, RecordBatch.from_arrays(list(columns.values()), schema=self._schema))

    def _to_array(self, feature: Feature, column: Column) -> Array:
        if isinstance(column, np.ndarray) and isinstance(feature, Number) and not feature.log:
            missing = np.isnan(column)
            if not missing.any():
                return Array.from_numpy(column.astype(np.float64))
            nullable = column.astype(object)
            nullable[missing] = None
            return Array(nullable.tolist(), REAL)
        values = to_list(column)
        if feature.log == "hash":
            return Array([None if value is None else self._hash(value) for value in values], TEXT)
        if isinstance(feature, Number):
            return Array(values, REAL)
        if isinstance(feature, Boolean):
            return Array(values, TRUTH)
        if isinstance(feature, Timestamp):
            return _to_moments(feature, values)
        return _to_strings(values)

    def _hash(self, value: Any) -> str:
        text = f"{float(value):.17g}" if type(value) in (int, float) else str(value)
        content = text.encode("utf-8", "surrogatepass")
        if self._key:
            return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:HASH_DIGITS]
        return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


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
