"""Learns a feature from a column of the training table."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from ekiben.contract.category_codes import MISSING
from ekiben.contract.errors import InvalidTable
from ekiben.contract.faults import describe_fault
from ekiben.contract.feature import FLOAT32_MAX, MAX_VOCABULARY, Category, Feature, Timestamp, Value
from ekiben.contract.schema import Schema, Target
from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.spellings.moments import write_moment
from ekiben.contract.validation import show, validate_row, validate_value
from ekiben.training.dataset.column_summary import KINDS as KINDS
from ekiben.training.dataset.column_summary import ColumnSummary, summarize

FEATURE: TypeAdapter[Feature] = TypeAdapter(Feature)
EXAMPLE_ROWS = 10_000  # looked at for the example
EXAMPLE_TRIES = 100  # of them, those with the fewest nulls, until one fits the declared ranges

MIN_CATEGORY_ROWS = 20  # a rarer value teaches an embedding nothing; it is pooled into code 0
MIN_CATEGORY_SHARE = 1 / 250  # of the rows are as good, in a table that is so small; but at least 2
RANGE_MARGIN = 1.0  # of the seen span, on either side: further out the network would be guessing


def learn_schema(
    name: str,
    table: pd.DataFrame,
    target: Target,
    features: Mapping[str, Mapping[str, Any]],
    train: pd.DataFrame | None = None,
) -> Schema:
    """Learn the schema of the features from a table.

    Ranges, and where there are nulls, are those of all rows, so that a table never contradicts
    the schema learned from it. Vocabularies are those of the `train` rows (default: all), since
    of other values the network learns nothing.

    `features` maps each feature's name to what is already known of it: its kind, and any
    field of `ekiben.contract.feature` that is not to be learned (`low`, `description`, `unit`, ...).
    Raises InvalidTable if a column is missing, empty or of another kind, or a field is wrong.
    """
    if table.empty:
        raise InvalidTable("there are no training rows to learn from")
    absent = [column for column in features if column not in table]
    if absent:
        raise InvalidTable(f"the table has no column `{absent[0]}`; it has: {', '.join(map(str, table.columns))}")
    trained = table if train is None else train
    for column, known in features.items():
        check_kind(column, known)
    summaries = (summarize(table[column], trained[column], str(known["kind"])) for column, known in features.items())
    return learn_from_summaries(name, summaries, target, features, table)


def learn_from_summaries(
    name: str,
    summaries: Iterable[ColumnSummary],
    target: Target,
    features: Mapping[str, Mapping[str, Any]],
    head: pd.DataFrame,
) -> Schema:
    """Learn the schema as `learn_schema` does, of what was found of each feature's column in this order.

    The example is one of the table's first rows, its `head`.
    """
    learned = tuple(
        learn_feature(summary, {"name": column, **known})
        for summary, (column, known) in zip(summaries, features.items(), strict=True)
    )
    example = choose_example(Schema(name=name, features=learned, target=target), head)
    shown = tuple(
        feature
        if "example" in features[feature.name]
        else feature.model_copy(update={"example": example[feature.name]})
        for feature in learned
    )
    return Schema(name=name, features=shown, target=target)


def check_kind(name: str, known: Mapping[str, Any]) -> None:
    """Raise InvalidTable if there is no such kind."""
    if known.get("kind") not in KINDS:
        choice = "choose number, category, boolean or timestamp"
        raise InvalidTable(f"`{name}`: no kind is called {str(known.get('kind'))!r}; {choice}")


def learn_feature(column: ColumnSummary, known: Mapping[str, Any]) -> Feature:
    """Learn one feature from what was found of its column, and what is already known of it."""
    kind = str(known["kind"])
    if column.train_missing == column.train_rows:
        raise InvalidTable(f"`{column.name}` has no value in any training row: leave it out of the features")
    if not column.is_kind:
        raise InvalidTable(f"`{column.name}` is declared a {kind} but holds {column.dtype}: declare what it is")
    facts = {"nullable": column.missing > 0, **known}
    if facts.get("default") is not None:
        facts.setdefault("optional", True)
    elif facts.get("optional") and not column.train_missing:
        known_of = f"`{column.name}` is optional, but no training row lacks it: what its absence means was not learned"
        raise InvalidTable(f"{known_of}; declare a `default`, or let it be required")
    learned = _learn_vocabulary(column, facts["nullable"]) if kind == "category" else _learn_facts(kind, column)
    try:
        feature = FEATURE.validate_python(learned | facts)
    except ValidationError as error:
        raise InvalidTable(f"`{column.name}`: {describe_fault(error, leave_out=0)}") from None  # which kind was tried
    _check_default(feature)
    return feature


def _check_default(feature: Feature) -> None:
    """Raise InvalidTable if callers could not send a default themselves, or training has not seen it."""
    value = feature.default
    if value is None:
        return
    problem = validate_value(feature, value)
    if problem is None and isinstance(feature, Category) and str(value) not in feature.vocabulary:
        problem = f"{show(value)} was seen in too few training rows to learn what it means"
    if problem:
        raise InvalidTable(f"`{feature.name}`: its `default`: {problem}")


def choose_example(schema: Schema, table: pd.DataFrame) -> dict[str, Value]:
    """Return a row a caller could send, as JSON would hold it, with as few nulls as any of the first rows."""
    head = table[list(schema.names)].head(EXAMPLE_ROWS)
    order = head.isna().sum(axis=1).to_numpy().argsort(kind="stable")
    rows = [
        {feature.name: to_json(feature, head[feature.name].iloc[index]) for feature in schema.features}
        for index in order[:EXAMPLE_TRIES]
    ]
    fitting = (row for row in rows if not any(validate_row(schema, 0, row)))
    return next(fitting, rows[0])


def choose_min_rows(rows: int) -> int:
    """Return in how many of the training rows a category's value must stand to get a code of its own."""
    return min(MIN_CATEGORY_ROWS, max(2, int(rows * MIN_CATEGORY_SHARE)))


def _learn_facts(kind: str, column: ColumnSummary) -> dict[str, Any]:
    if kind == "number":
        return _learn_range(column)
    return {"zoned": column.zoned} if kind == "timestamp" else {}


def _learn_range(column: ColumnSummary) -> dict[str, float]:
    low, high = column.low, column.high
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InvalidTable(f"`{column.name}` holds infinite numbers: leave those rows out, or make them missing")
    margin = RANGE_MARGIN * (high - low) or abs(high) or 1.0  # a constant says nothing of a span
    lowest = max(low - margin, 0.0) if low >= 0 else low - margin
    return {"low": max(lowest, -FLOAT32_MAX), "high": min(high + margin, FLOAT32_MAX)}


def _learn_vocabulary(column: ColumnSummary, nullable: bool) -> dict[str, Any]:
    assert column.counts is not None
    min_rows, counts = choose_min_rows(column.train_rows), column.counts
    frequent = counts.index[counts >= min_rows][:MAX_VOCABULARY]
    seen = sorted(value for value in frequent if not (nullable and value == MISSING))
    if not (seen or nullable):
        raise InvalidTable(
            f"`{column.name}`: no value stands in {min_rows} training rows: leave it out of the features"
        )
    vocabulary = (MISSING, *seen) if nullable else tuple(seen)
    return {"vocabulary": vocabulary, "min_rows": min_rows, "integers": bool(seen) and all(map(_is_whole, seen))}


def _is_whole(text: str) -> bool:
    """Return whether the text is just how a whole number is written."""
    return text.removeprefix("-").isdecimal() and str(int(text)) == text


def to_json(feature: Feature, value: Any) -> Value:
    """Return a value of a column as a person would write it in JSON."""
    if pd.isna(value):
        return None
    if isinstance(feature, Timestamp):
        return str(value.strftime(feature.format)) if is_clock(feature.format) else write_moment(value, feature.format)
    if isinstance(feature, Category):
        return int(value) if feature.integers and _is_whole(str(value)) else str(value)  # a rare one may be none
    plain: Value = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, float):
        return plain
    readable = float(f"{plain:.6g}")
    return int(readable) if readable.is_integer() and abs(readable) < 1e6 else readable  # for a person to read
