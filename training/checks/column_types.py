"""Which columns can hold a feature's values, by their pandas type, and what such a column is called."""

from typing import Any

import pandas as pd

from ekiben.contract.feature import Boolean, Category, Feature, Timestamp
from ekiben.contract.schema import Target


def holds(feature: Feature | Target, dtype: Any) -> bool:
    """Return whether a column of this type can hold the feature's or the target's values."""
    if isinstance(feature, Category) or (isinstance(feature, Target) and feature.task != "regression"):
        return isinstance(dtype, pd.CategoricalDtype)
    if isinstance(dtype, pd.CategoricalDtype):  # pandas takes one of booleans for a boolean
        return False
    if isinstance(feature, Boolean):
        return bool(pd.api.types.is_bool_dtype(dtype))
    if isinstance(feature, Timestamp):
        zoned = isinstance(dtype, pd.DatetimeTZDtype)
        return bool(pd.api.types.is_datetime64_any_dtype(dtype)) and zoned == feature.zoned
    return bool(pd.api.types.is_numeric_dtype(dtype)) and not pd.api.types.is_bool_dtype(dtype)


def describe_entry(entry: Feature | Target) -> str:
    """Return what a column of the feature or the target holds."""
    if isinstance(entry, Target):
        return "a number" if entry.task == "regression" else "a label"
    return f"a {entry.kind}" + (" with a UTC offset" if entry.kind == "timestamp" and entry.zoned else "")


def describe_dtype(dtype: Any) -> str:
    """Return what a column of this type holds."""
    if isinstance(dtype, pd.CategoricalDtype):
        return "a category"
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "a timestamp with a UTC offset"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "a timestamp"
    if pd.api.types.is_bool_dtype(dtype):
        return "a boolean"
    return "a number" if pd.api.types.is_numeric_dtype(dtype) else "a string"
