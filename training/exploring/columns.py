"""The table at a glance: each column's kind, what is missing, and between what its values lie."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.contract.validation import shorten
from ekiben.training.evaluate.text import drawable
from ekiben.training.exploring.drawing import MARKED, new_figure
from ekiben.training.wording import format_share

FREQUENT = 3  # values of a category that are named
MAX_BARS = 40


def describe_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each column of a typed table."""
    return pd.DataFrame([_describe(str(name), frame[name]) for name in frame])


def find_kind(column: pd.Series) -> str:
    """Return the kind of a typed column."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "timestamp"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    return "boolean" if pd.api.types.is_bool_dtype(column.dtype) else "number"


def share_missing(frame: pd.DataFrame) -> pd.Series:
    """Return the share of the rows that have no value, for each column that lacks some, the largest first."""
    shares = frame.isna().mean()
    return shares[shares > 0].sort_values(ascending=False, kind="stable")


def plot_missing(frame: pd.DataFrame) -> Figure | None:
    """Return a bar for each column that lacks values; None if none does."""
    shares = share_missing(frame)
    if shares.empty:
        return None
    drawn = shares.head(MAX_BARS)
    which = f"the {MAX_BARS} worst of {len(shares):,} columns" if len(shares) > MAX_BARS else f"{len(frame):,} rows"
    figure, axes = new_figure(f"Missing values, {which}", (9, 1.2 + 0.26 * len(drawn)))
    indices = np.arange(len(drawn))
    bars = axes.barh(indices, 100 * drawn.to_numpy(), color=MARKED)
    axes.bar_label(bars, [format_share(share) for share in drawn], padding=4, fontsize="small")
    axes.set_yticks(indices, [drawable(name) for name in drawn.index])
    axes.set(xlabel="share of the rows [%]", xlim=(0, min(112, 115 * shares.iloc[0])), ylim=(len(drawn) - 0.4, -0.6))
    return figure


def _describe(name: str, column: pd.Series) -> dict[str, object]:
    values, kind = column.dropna(), find_kind(column)
    return {
        "column": shorten(name),
        "kind": kind,
        "missing": format_share(float(column.isna().mean())) if len(column) else "",
        "distinct": int(values.nunique()),
        "values": _describe_values(values, kind) if len(values) else "none",
    }


def _describe_values(values: pd.Series, kind: str) -> str | list[str]:
    if kind == "number":
        low, middle, high = (f"{values.quantile(share):.5g}" for share in (0, 0.5, 1))
        return f"{low} … {high}, median {middle}"
    if kind == "timestamp":
        return f"{values.min()} … {values.max()}"
    shares = values.value_counts(normalize=True).head(FREQUENT)
    return [f"{shorten(str(value))} {format_share(float(share))}" for value, share in shares.items()]
