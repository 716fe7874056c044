"""Reads the features of a batch of a table: their values in the types of the schema, and what is wrong with a row."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.columns import Distinct
from ekiben.contract.feature import Feature, Kind, Number, Timestamp, Value
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.moments import write_moment
from ekiben.contract.spellings.spelling import Spelling, spelling_of
from ekiben.contract.validation import expect, show, validate_row
from ekiben.training.tables.conversion import Converted, convert

Nulls = NDArray[np.bool_]  # (rows,)


class FeatureReader:
    """Reads batches as the schema has it, except for what is `said` of all columns."""

    def __init__(self, schema: Schema, said: Mapping[str, Any]) -> None:
        self.schema = schema
        self._spellings = {feature.name: _spell(feature, said) for feature in schema.features}

    def read(self, batch: pa.RecordBatch) -> "Features":
        """Convert every feature's column; an optional one that is absent is its default."""
        spellings = self._spellings
        converted = {f.name: convert(_read_column(batch, f), f.kind, spellings[f.name]) for f in self.schema.features}
        return Features(self.schema, spellings, batch, converted)


class Features:
    """The features of one batch."""

    def __init__(
        self,
        schema: Schema,
        spellings: Mapping[str, Spelling],
        batch: pa.RecordBatch,
        converted: Mapping[str, Converted],
    ) -> None:
        self._schema, self._spellings, self._batch, self._converted = schema, spellings, batch, converted

    def to_columns(self) -> dict[str, Any]:
        """Return the columns as the encoder takes them."""
        return {f.name: _to_column(self._converted[f.name].values, f.kind) for f in self._schema.features}

    def find_rejected(self) -> Nulls:
        """Return which rows have a value that can't be read, or none where one is needed."""
        rejected = np.zeros(self._batch.num_rows, bool)
        for feature in self._schema.features:
            converted = self._converted[feature.name]
            if converted.parse_failure is not None:
                rejected |= converted.parse_failure
            if not feature.nullable and converted.values.null_count:
                rejected |= converted.values.is_null().to_numpy(zero_copy_only=False)
        return rejected

    def explain(self, row: int) -> str:
        """Return what is wrong with a row, as the service says it."""
        failed = [feature for feature in self._schema.features if self._has_failed(feature.name, row)]
        said = [self._explain_failure(feature, row) for feature in failed]
        given = {feature.name: self._give(feature, row) for feature in self._schema.features}
        named = {feature.name for feature in failed}
        said += [f"`{p.field}`: {p.message}" for p in validate_row(self._schema, row, given) if p.field not in named]
        return "; ".join(said)

    def _has_failed(self, name: str, row: int) -> bool:
        failure = self._converted[name].parse_failure
        return failure is not None and bool(failure[row])

    def _explain_failure(self, feature: Feature, row: int) -> str:
        shown = str(self._batch.column(feature.name)[row].as_py()).strip()
        expected = expect(feature.kind, shown, self._spellings[feature.name])
        return f"`{feature.name}`: expected {expected}, got {show(shown)}"

    def _give(self, feature: Feature, row: int) -> Value:
        """Return a value as a caller would send it as JSON."""
        value: Any = self._converted[feature.name].values[row].as_py()
        if isinstance(feature, Timestamp) and value is not None:
            return write_moment(value, feature.format)
        given: Value = value
        return given


def _spell(feature: Feature, said: Mapping[str, Any]) -> Spelling:
    """Return how a feature's column is written, with what is said of all columns."""
    others = {"decimal": said["decimal"]} if "decimal" in said and isinstance(feature, Number) else {}
    return spelling_of(feature, **others, null=(*feature.null, *said.get("null", ())))


def _read_column(batch: pa.RecordBatch, feature: Feature) -> pa.Array:
    if feature.optional and feature.name not in batch.schema.names:
        return pa.array([feature.default] * batch.num_rows, pa.string() if feature.default is None else None)
    return batch.column(feature.name)


def _to_column(values: pa.Array, kind: Kind) -> Any:
    if kind == "category":
        return Distinct(values.dictionary.to_pylist(), values.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    if kind == "boolean":
        values = values.cast(pa.int8()).cast(pa.float32())
    return values.to_numpy(zero_copy_only=False)  # NaN or NaT where it is null
