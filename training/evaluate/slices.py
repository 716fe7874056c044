"""Rows cut by what a column holds: how good the answers are for each of its values."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ekiben.training.evaluate.weights import Weights

MAX_SLICES = 30
TENTHS = 10

Score = Callable[[np.ndarray, np.ndarray, Weights], dict[str, float]]


def score_slices(
    score: Score, labels: np.ndarray, answers: np.ndarray, keys: pd.Series, weights: Weights = None
) -> pd.DataFrame:
    """Return the value, its rows and its scores for each of the MAX_SLICES most frequent values of `keys`.

    The largest comes first, or the lowest if the keys are ordered; missing ones have the value
    None. All other values are pooled in the last row, and `attrs["left_out"]` says how many.
    """
    names, slices, left_out = cut(keys)
    masks = [slices == index for index in range(len(names))]
    scored = [score(labels[here], answers[here], None if weights is None else weights[here]) for here in masks]
    rows = np.bincount(slices, minlength=len(names))
    table = pd.DataFrame({"value": pd.Series(names, dtype=object), "rows": rows}).join(pd.DataFrame(scored))
    table.attrs["left_out"] = left_out
    return table


def cut(keys: pd.Series) -> tuple[list[str | None], np.ndarray, int]:
    """Return the slices' names, the slice of each row, (rows,), and how many values are pooled in the last one."""
    codes, values = pd.factorize(keys, use_na_sentinel=False)
    chosen = np.argsort(-np.bincount(codes), kind="stable")[:MAX_SLICES]
    if isinstance(keys.dtype, pd.CategoricalDtype) and keys.dtype.ordered:
        chosen = chosen[pd.Index(values).take(chosen).argsort()]
    slice_of = np.full(len(values), len(chosen))
    slice_of[chosen] = np.arange(len(chosen))
    slices = slice_of[codes]
    names = [None if pd.isna(values[index]) else str(values[index]) for index in chosen]
    left_out = len(values) - len(chosen)
    if left_out:
        names.append(f"{left_out:,} other values")
    return names, slices, left_out


def slice_keys(column: pd.Series) -> pd.Series:
    """Return what to slice by: the months of a time, the tenths of a number with many values, else the values."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return period_keys(column)
    if pd.api.types.is_float_dtype(column.dtype) and column.nunique() > MAX_SLICES:
        return pd.qcut(column, TENTHS, duplicates="drop")
    return column


def period_keys(times: pd.Series) -> pd.Series:
    """Return the month of each time, in order; the year if there are more months than MAX_SLICES."""
    keys = times.dt.strftime("%Y-%m").rename("month")
    if keys.nunique() > MAX_SLICES:
        keys = times.dt.strftime("%Y").rename("year")
    return keys.astype(pd.CategoricalDtype(sorted(keys.dropna().unique()), ordered=True))
