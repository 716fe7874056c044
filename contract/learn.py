"""Learns a feature from a column of the training table; needs pandas, so only training imports it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from contract.check import find_problems
from contract.encode import MISSING
from contract.errors import InvalidTable
from contract.feature import Feature, Value
from contract.schema import Schema, Target

FEATURE: TypeAdapter[Feature] = TypeAdapter(Feature)
EXAMPLE_ROWS = 10_000  # looked at for the example
EXAMPLE_TRIES = 100  # of them, those with the fewest nulls, until one fits the declared ranges

MIN_CATEGORY_ROWS = 20  # a rarer value teaches an embedding nothing; it is pooled into code 0
RANGE_MARGIN = 1.0  # of the seen span, on either side: further out the network would be guessing


def learn_schema(name: str, table: pd.DataFrame, target: Target, features: Mapping[str, Mapping[str, Any]]) -> Schema:
    """Learn the schema of the features from the training rows.

    `features` maps each feature's name to what is already known of it: its kind, and any
    field of `contract.feature` that is not to be learned (`low`, `description`, `unit`, ...).
    Raises InvalidTable if a column is missing, empty or of another kind, or a field is wrong.
    """
    if table.empty:
        raise InvalidTable("there are no training rows to learn from")
    absent = [column for column in features if column not in table]
    if absent:
        raise InvalidTable(f"the table has no column `{absent[0]}`; it has: {', '.join(map(str, table.columns))}")
    learned = tuple(learn_feature(table[column], {"name": column, **known}) for column, known in features.items())
    example = choose_example(Schema(name=name, features=learned, target=target), table)
    shown = tuple(
        feature
        if "example" in features[feature.name]
        else feature.model_copy(update={"example": example[feature.name]})
        for feature in learned
    )
    return Schema(name=name, features=shown, target=target)


def learn_feature(column: "pd.Series[Any]", known: Mapping[str, Any]) -> Feature:
    """Learn one feature from its column and what is already known of it."""
    kind = str(known.get("kind"))
    if kind not in KINDS:
        choice = "choose number, category, boolean or timestamp"
        raise InvalidTable(f"`{column.name}`: no kind is called {kind!r}; {choice}")
    if not column.notna().any():
        raise InvalidTable(f"`{column.name}` has no value in any training row: leave it out of the features")
    holds = KINDS[kind]
    if not holds(column):
        raise InvalidTable(f"`{column.name}` is declared a {kind} but holds {column.dtype}: declare what it is")
    facts = {"nullable": bool(column.isna().any()), **known}
    try:
        return FEATURE.validate_python(_learn_facts(kind, column, facts["nullable"]) | facts)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(place) for place in first["loc"] if place != kind)
        raise InvalidTable(f"`{column.name}`: `{entry}`: {first['msg']}") from None


def choose_example(schema: Schema, table: pd.DataFrame) -> dict[str, Value]:
    """Return a row a caller could send, as JSON would hold it, with as few nulls as any of the first rows."""
    head = table[list(schema.names)].head(EXAMPLE_ROWS)
    order = head.isna().sum(axis=1).to_numpy().argsort(kind="stable")
    rows = [{name: _to_json(value) for name, value in head.iloc[place].items()} for place in order[:EXAMPLE_TRIES]]
    fitting = (row for row in rows if not any(find_problems(schema, 0, row)))
    return next(fitting, rows[0])


def _learn_facts(kind: str, column: "pd.Series[Any]", nullable: bool) -> dict[str, Any]:
    if kind == "number":
        return _learn_range(column)
    if kind == "category":
        return {"vocabulary": _learn_vocabulary(column, nullable)}
    return {"zoned": isinstance(column.dtype, pd.DatetimeTZDtype)} if kind == "timestamp" else {}


def _learn_range(column: "pd.Series[Any]") -> dict[str, float]:
    low, high = float(column.min()), float(column.max())
    margin = RANGE_MARGIN * (high - low) or abs(high) or 1.0  # a constant says nothing of a span
    return {"low": max(low - margin, 0.0) if low >= 0 else low - margin, "high": high + margin}


def _learn_vocabulary(column: "pd.Series[Any]", nullable: bool) -> tuple[str, ...]:
    counts = column.value_counts()
    seen = sorted(value for value in counts.index[counts >= MIN_CATEGORY_ROWS] if not (nullable and value == MISSING))
    if not (seen or nullable):
        rare = f"no value stands in {MIN_CATEGORY_ROWS} training rows"
        raise InvalidTable(f"`{column.name}`: {rare}: leave it out of the features")
    return (MISSING, *seen) if nullable else tuple(seen)


def _is_text(column: "pd.Series[Any]") -> bool:
    return bool(column.dropna().map(type).isin([str]).all())


def _is_number(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


KINDS: Mapping[str, Callable[["pd.Series[Any]"], bool]] = {
    "number": _is_number,
    "category": _is_text,
    "boolean": lambda column: bool(column.dropna().map(type).isin([bool, np.bool_]).all()),
    "timestamp": pd.api.types.is_datetime64_any_dtype,
}


def _to_json(value: Any) -> Value:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    plain: Value = value.item() if hasattr(value, "item") else value
    return float(f"{plain:.6g}") if isinstance(plain, float) else plain  # for a person to read
