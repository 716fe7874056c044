"""The bins that a column's values are counted in, so that two tables of any size can be compared."""

import calendar
import math
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ekiben.contract.category_codes import MISSING
from ekiben.contract.feature import NULL_SPELLINGS, Category, Cycle, Feature
from ekiben.contract.schema import Target

Counts = NDArray[np.int64]


class Frozen(BaseModel):
    """What is written once and only read later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberBins(Frozen):
    """Bin i holds `edges[i - 1]` < number ≤ `edges[i]`; the first and the last have no end.

    A number so frequent that it is several quantiles has a bin of its own.
    """

    kind: Literal["number"] = "number"
    edges: tuple[float, ...]  # rising

    def count(self, column: "pd.Series[Any]", _: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        seen = to_numbers(column)
        indices = np.searchsorted(np.array(self.edges), seen)
        return np.append(np.bincount(indices, minlength=len(self.edges) + 1), len(column) - len(seen))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        if not self.edges:
            return ("any number",)
        strings = (
            f"= {_show(high)}" if low == just_below(high) else f"{_show(low)} to {_show(high)}"
            for low, high in pairwise(self.edges)
        )
        first, *others = self.edges
        below = "<" if others and first == just_below(others[0]) else "≤"
        return (f"{below} {_show(first)}", *strings, f"> {_show(self.edges[-1])}")


class CategoryBins(Frozen):
    """A bin for each of `values`, one for the rest of the vocabulary, and one for what is not in it."""

    kind: Literal["category"] = "category"
    values: tuple[str, ...]

    def count(self, column: "pd.Series[Any]", feature: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        frequencies = count_values(column)
        known, nulls = list_known(feature)
        seen = frequencies[~frequencies.index.isin(nulls)]
        frequent = seen.reindex(list(self.values), fill_value=0).to_numpy(np.int64)
        rest = int(seen[seen.index.isin(known)].sum()) - int(frequent.sum())
        unseen = int(seen.sum()) - int(frequent.sum()) - rest
        return np.array([*frequent, rest, unseen, len(column) - int(seen.sum())])

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        return (*(f"'{value}'" for value in self.values), "other known values", "rare or new values")


class BooleanBins(Frozen):
    """False and true."""

    kind: Literal["boolean"] = "boolean"

    def count(self, column: "pd.Series[Any]", _: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        seen, true = int(column.count()), int(column.sum())
        return np.array([seen - true, true, len(column) - seen])

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        return ("false", "true")


class CycleBins(Frozen):
    """The hours of a day, the days of a week or the months of a year.

    Of a moment the network sees no more than where it lies in its cycles, and a later table has later moments.
    """

    kind: Literal["cycle"] = "cycle"
    cycle: Cycle

    def count(self, column: "pd.Series[Any]", _: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        seen = column.dropna()
        if seen.dt.tz is not None:
            seen = seen.dt.tz_convert("UTC")
        parts = _CYCLES[self.cycle](seen).to_numpy(np.int64)
        return np.append(np.bincount(parts, minlength=len(self.labels)), len(column) - len(seen))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        if self.cycle == "hour":
            return tuple(f"{hour:02}:00" for hour in range(24))
        return tuple(calendar.day_name) if self.cycle == "weekday" else tuple(calendar.month_name)[1:]


_CYCLES: Mapping[Cycle, Callable[[Any], Any]] = {
    "hour": lambda moments: moments.dt.hour,
    "weekday": lambda moments: moments.dt.day_of_week,
    "day_of_year": lambda moments: moments.dt.month - 1,
}
Bins = Annotated[NumberBins | CategoryBins | BooleanBins | CycleBins, Field(discriminator="kind")]


def just_below(value: float) -> float:
    """Return the float before a value; before 0 the first that is not a subnormal: some CPU modes take those for 0."""
    return math.nextafter(value, -math.inf) if value else -sys.float_info.min


def to_numbers(column: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return the values that are not missing."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    return values[~np.isnan(values)]


def count_values(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return how often each value stands in a column, by its text."""
    frequencies = column.value_counts(sort=False)
    frequencies.index = frequencies.index.astype(str)
    return frequencies


def list_known(feature: Feature | Target) -> tuple[frozenset[str], frozenset[str]]:
    """Return the strings that are known, and those that stand for a missing value."""
    if isinstance(feature, Target):
        return frozenset(map(str, feature.classes)), frozenset()
    assert isinstance(feature, Category)
    known = frozenset(feature.vocabulary) - ({MISSING} if feature.nullable else set())
    return known, NULL_SPELLINGS - known if feature.nullable else frozenset()


def _show(edge: float) -> str:
    return f"{edge:.6g}" if abs(edge) > sys.float_info.min else "0"
