"""What is learned from a column: a few numbers and counts, which those of groups of its rows add up to.

A table in memory is one group, a table on disk is many: both are learned from in this one way.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class ColumnSummary:
    """What a feature is learned from."""

    name: str
    dtype: str
    is_kind: bool  # the column holds what it is declared to
    zoned: bool
    missing: int  # rows, of all
    train_rows: int
    train_missing: int
    low: float  # the least number of all rows; NaN if there is none
    high: float
    counts: "pd.Series[Any] | None"  # of a category: value → training rows; None where they are counted apart

    def __add__(self, other: "ColumnSummary") -> "ColumnSummary":
        return ColumnSummary(
            self.name,
            self.dtype,
            self.is_kind and other.is_kind,
            self.zoned,
            self.missing + other.missing,
            self.train_rows + other.train_rows,
            self.train_missing + other.train_missing,
            float(np.fmin(self.low, other.low)),
            float(np.fmax(self.high, other.high)),
            None,
        )


def summarize(column: "pd.Series[Any]", train: "pd.Series[Any]", kind: str, counted: bool = True) -> ColumnSummary:
    """Return what is learned from a column, of which these are the rows to train on."""
    is_kind = KINDS[kind](column)
    is_number = is_kind and kind == "number"
    low, high = (float(column.min()), float(column.max())) if is_number else (math.nan, math.nan)
    return ColumnSummary(
        name=str(column.name),
        dtype=str(column.dtype),
        is_kind=is_kind,
        zoned=isinstance(column.dtype, pd.DatetimeTZDtype),
        missing=int(column.isna().sum()),
        train_rows=len(train),
        train_missing=int(train.isna().sum()),
        low=low,
        high=high,
        counts=train.value_counts() if counted and is_kind and kind == "category" else None,
    )


def _is_text(column: "pd.Series[Any]") -> bool:
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna()
    return all(isinstance(value, str) for value in values)


def _is_boolean(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.BooleanDtype):
        return True
    return bool(column.dropna().map(type).isin([bool, np.bool_]).all())


def _is_number(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


KINDS: Mapping[str, Callable[["pd.Series[Any]"], bool]] = {
    "number": _is_number,
    "category": _is_text,
    "boolean": _is_boolean,
    "timestamp": pd.api.types.is_datetime64_any_dtype,
}
