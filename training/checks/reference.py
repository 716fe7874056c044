"""What the rows looked like that a model was trained on: `reference.json`, stored beside its schema."""

import calendar
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ekiben.contract.encoding import MISSING
from ekiben.contract.errors import InvalidModel
from ekiben.contract.feature import NULL_SPELLINGS, Boolean, Category, Cycle, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target

REFERENCE_FILE = "reference.json"
NUMBER_BINS = 10
CATEGORY_BINS = 50  # the most frequent values; the others share one bin, those of no vocabulary another
MIN_BIN_ROWS, MIN_BIN_SHARE = 50, 0.05  # either will do: of rarer values the most frequent are those that had luck
Counts = NDArray[np.int64]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberBins(_Frozen):
    """Bin i holds `edges[i - 1]` < number ≤ `edges[i]`; the first and the last have no end.

    A number so frequent that it is several quantiles has a bin of its own.
    """

    kind: Literal["number"] = "number"
    edges: tuple[float, ...]  # rising

    def count(self, column: "pd.Series[Any]", _: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        seen = _to_numbers(column)
        indices = np.searchsorted(np.array(self.edges), seen)
        return np.append(np.bincount(indices, minlength=len(self.edges) + 1), len(column) - len(seen))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        if not self.edges:
            return ("any number",)
        strings = (
            f"= {_show(high)}" if low == _just_below(high) else f"{_show(low)} to {_show(high)}"
            for low, high in pairwise(self.edges)
        )
        first, *others = self.edges
        below = "<" if others and first == _just_below(others[0]) else "≤"
        return (f"{below} {_show(first)}", *strings, f"> {_show(self.edges[-1])}")


class CategoryBins(_Frozen):
    """A bin for each of `values`, one for the rest of the vocabulary, and one for what is not in it."""

    kind: Literal["category"] = "category"
    values: tuple[str, ...]

    def count(self, column: "pd.Series[Any]", feature: Feature | Target) -> Counts:
        """Return the rows in each bin; the last count is that of missing values."""
        frequencies = _count_values(column)
        known, nulls = _vocabulary(feature)
        seen = frequencies[~frequencies.index.isin(nulls)]
        frequent = seen.reindex(list(self.values), fill_value=0).to_numpy(np.int64)
        rest = int(seen[seen.index.isin(known)].sum()) - int(frequent.sum())
        unseen = int(seen.sum()) - int(frequent.sum()) - rest
        return np.array([*frequent, rest, unseen, len(column) - int(seen.sum())])

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        return (*(f"'{value}'" for value in self.values), "other known values", "rare or new values")


class BooleanBins(_Frozen):
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


class CycleBins(_Frozen):
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


class Distribution(_Frozen):
    """How many rows of a column fall into each bin."""

    column: str
    bins: Bins
    counts: tuple[int, ...]  # the last is that of missing values
    span: tuple[str, str] | None = None  # the least and the greatest number or moment

    @property
    def name(self) -> str:
        """The column, and of a moment its cycle, such as `departure.hour`."""
        return f"{self.column}.{self.bins.cycle}" if isinstance(self.bins, CycleBins) else self.column

    @property
    def labels(self) -> tuple[str, ...]:
        """What each count counts."""
        return (*self.bins.labels, "missing")

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the rows in each bin."""
        rows = sum(self.counts)
        return tuple(count / rows for count in self.counts)

    @property
    def missing(self) -> float:
        """The share of the rows that have no value."""
        return self.shares[-1]

    @property
    def unseen(self) -> float:
        """The share of the rows whose category is not in the vocabulary."""
        return self.shares[-2] if isinstance(self.bins, CategoryBins) else 0.0

    @property
    def special(self) -> tuple[int, ...]:
        """The positions of the missing values and of those never seen."""
        last = len(self.counts) - 1
        return (last - 1, last) if isinstance(self.bins, CategoryBins) else (last,)


class Reference(_Frozen):
    """What a table's rows looked like when a model was trained on them."""

    rows: int
    columns: tuple[str, ...]  # all of the source, also those that were not read
    duplicates: float  # the share of rows that repeat an earlier one
    distributions: tuple[Distribution, ...]  # of the features (a moment's: one a cycle) and of the target

    def save(self, path: Path) -> None:
        """Write the reference as JSON."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_reference(path: Path) -> Reference:
    """Read a reference written by `Reference.save`; raise InvalidModel if it is missing or damaged."""
    try:
        return Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidModel(f"{path} is not a readable reference: train the model again with `make train`") from error


def learn_reference(schema: Schema, columns: Sequence[str], frame: pd.DataFrame) -> Reference:
    """Describe the typed rows a schema was learned from; `columns` are all of their source."""
    distributions = (
        _discount_luck(describe(feature.name, bins, frame[feature.name], feature), feature, frame[feature.name])
        for feature in (*schema.features, schema.target)
        for bins in choose_bins(feature, frame[feature.name])
    )
    return Reference(
        rows=len(frame),
        columns=tuple(columns),
        duplicates=share_duplicates(frame),
        distributions=tuple(distributions),
    )


def describe(name: str, bins: Bins, column: "pd.Series[Any]", feature: Feature | Target) -> Distribution:
    """Count a column's values in the bins."""
    counts = tuple(bins.count(column, feature).tolist())
    return Distribution(column=name, bins=bins, counts=counts, span=_span(bins, column))


def choose_bins(feature: Feature | Target, column: "pd.Series[Any]") -> Iterator[Bins]:
    """Yield the bins that a column's values are compared in; of moments those of each cycle."""
    if isinstance(feature, Timestamp):
        yield from (CycleBins(cycle=cycle) for cycle in feature.cycles)
    elif isinstance(feature, Boolean):
        yield BooleanBins()
    elif isinstance(feature, Number) or (isinstance(feature, Target) and feature.task == "regression"):
        yield NumberBins(edges=_quantile_edges(column))
    else:
        yield CategoryBins(values=_choose_values(feature, column))


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


def share_duplicates(frame: pd.DataFrame) -> float:
    """Return the share of rows that repeat an earlier one in every column, by their 64-bit hashes."""
    return float(pd.util.hash_pandas_object(frame, index=False).duplicated().mean())


def _choose_values(feature: Category | Target, column: "pd.Series[Any]") -> tuple[str, ...]:
    known, _ = _vocabulary(feature)
    frequencies = _count_values(column)
    frequencies = frequencies[frequencies.index.isin(known)].sort_index().sort_values(ascending=False, kind="stable")
    if isinstance(feature, Category):
        frequencies = frequencies[
            (frequencies >= min(MIN_BIN_ROWS, MIN_BIN_SHARE * len(column))) & (frequencies > feature.min_rows)
        ]
    return tuple(frequencies.index[:CATEGORY_BINS])


def _discount_luck(learned: Distribution, feature: Feature | Target, column: "pd.Series[Any]") -> Distribution:
    """Count as rare what is in the vocabulary by one row: other rows will have that much more of no vocabulary.

    I. J. Good, The population frequencies of species, Biometrika 40, 1953: what stands in r of n
    rows makes up as large a share of them as what stands in r - 1 will of others.
    """
    if not isinstance(feature, Category) or feature.min_rows == 1:
        return learned
    frequencies = _count_values(column)
    known, _ = _vocabulary(feature)
    barely = int(frequencies[frequencies.index.isin(known) & (frequencies == feature.min_rows)].sum())
    *frequent, rest, unseen, missing = learned.counts
    return learned.model_copy(update={"counts": (*frequent, rest - barely, unseen + barely, missing)})


def _quantile_edges(column: "pd.Series[Any]") -> tuple[float, ...]:
    """Return the inner quantiles as edges, and one just below each that stands for several."""
    seen = _to_numbers(column)
    if not len(seen):
        return ()
    quantiles = np.quantile(seen, np.arange(1, NUMBER_BINS) / NUMBER_BINS, method="inverted_cdf")
    edges, repeats = np.unique(quantiles, return_counts=True)
    below = (_just_below(edge) for edge in edges[repeats > 1].tolist())
    return tuple(sorted(filter(math.isfinite, {*edges.tolist(), *below})))


def _just_below(value: float) -> float:
    """Return the float before a value; before 0 the first that is not a subnormal: some CPU modes take those for 0."""
    return math.nextafter(value, -math.inf) if value else -sys.float_info.min


def _show(edge: float) -> str:
    return f"{edge:.6g}" if abs(edge) > sys.float_info.min else "0"


def _to_numbers(column: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return the values that are not missing."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    return values[~np.isnan(values)]


def _count_values(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return how often each value stands in a column, by its text."""
    frequencies = column.value_counts(sort=False)
    frequencies.index = frequencies.index.astype(str)
    return frequencies


def _vocabulary(feature: Feature | Target) -> tuple[frozenset[str], frozenset[str]]:
    """Return the strings that are known, and those that stand for a missing value."""
    if isinstance(feature, Target):
        return frozenset(map(str, feature.classes)), frozenset()
    assert isinstance(feature, Category)
    known = frozenset(feature.vocabulary) - ({MISSING} if feature.nullable else set())
    return known, NULL_SPELLINGS - known if feature.nullable else frozenset()


def _span(bins: Bins, column: "pd.Series[Any]") -> tuple[str, str] | None:
    low, high = (column.min(), column.max()) if isinstance(bins, NumberBins | CycleBins) else (None, None)
    if pd.isna(low):
        return None
    return (f"{low:.6g}", f"{high:.6g}") if isinstance(bins, NumberBins) else (str(low), str(high))
