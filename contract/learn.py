"""Learns a feature from a column of the training table; needs pandas, so only training imports it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from contract.errors import InvalidTable
from contract.feature import Boolean, Category, Feature, Number, Timestamp, Value
from contract.schema import Schema, Target

MIN_CATEGORY_ROWS = 20  # a rarer value teaches an embedding nothing; it is pooled into code 0
RANGE_MARGIN = 1.0  # of the seen span, on either side: further out the network would be guessing


def learn_schema(name: str, table: pd.DataFrame, target: Target, features: Mapping[str, Mapping[str, Any]]) -> Schema:
    """Learn the schema of the features from the training rows.

    `features` maps each feature's name to what is already known of it: its kind, and any
    field of `contract.feature` that is not to be learned (`low`, `description`, `unit`, ...).
    Raises InvalidTable if a column is missing, empty or of another kind.
    """
    absent = [column for column in features if column not in table]
    if absent:
        raise InvalidTable(f"the table has no column `{absent[0]}`; it has: {', '.join(map(str, table.columns))}")
    row = example_row(table[list(features)])
    learned = [
        learn_feature(table[column], {"name": column, "example": row[column], **known})
        for column, known in features.items()
    ]
    return Schema(name=name, features=tuple(learned), target=target)


def learn_feature(column: "pd.Series[Any]", known: Mapping[str, Any]) -> Feature:
    """Learn one feature from its column and what is already known of it."""
    if not column.notna().any():
        raise InvalidTable(f"`{column.name}` has no value in any training row: leave it out of the features")
    facts = {"nullable": bool(column.isna().any()), **known}
    match facts["kind"]:
        case "number":
            return Number(**(_learn_range(column) | facts))
        case "category":
            return Category(**({"vocabulary": _learn_vocabulary(column, facts["nullable"])} | facts))
        case "boolean":
            return Boolean(**facts)
        case "timestamp":
            return Timestamp(**({"zoned": getattr(column.dt, "tz", None) is not None} | facts))
        case kind:
            raise InvalidTable(
                f"`{column.name}`: no kind is called {kind!r}; choose number, category, boolean or timestamp"
            )


def example_row(table: pd.DataFrame) -> dict[str, Value]:
    """Return the first of the rows with the fewest missing values, as JSON would hold it."""
    row = table.iloc[int(table.isna().sum(axis=1).to_numpy().argmin())]
    return {str(name): _to_json(value) for name, value in row.items()}


def _learn_range(column: "pd.Series[Any]") -> dict[str, float]:
    if not pd.api.types.is_numeric_dtype(column):
        raise InvalidTable(f"`{column.name}` is declared a number but holds {column.dtype}")
    low, high = float(column.min()), float(column.max())
    margin = RANGE_MARGIN * (high - low)
    return {"low": max(low - margin, 0.0) if low >= 0 else low - margin, "high": high + margin}


def _learn_vocabulary(column: "pd.Series[Any]", nullable: bool) -> tuple[str, ...]:
    counts = column.value_counts()
    seen = sorted(str(value) for value in counts.index[counts >= MIN_CATEGORY_ROWS])
    return ("", *seen) if nullable else tuple(seen)


def _to_json(value: Any) -> Value:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    plain: Value = value.item() if hasattr(value, "item") else value
    return float(f"{plain:.6g}") if isinstance(plain, float) else plain  # for a person to read
