"""Learns a reference: chooses each column's bins and counts the training rows in them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.reference.bins import (
    Bins,
    BooleanBins,
    CategoryBins,
    CycleBins,
    NumberBins,
    just_below,
    list_known,
)
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target
from ekiben.training.checks.column_counts import count_column, count_values, to_numbers

NUMBER_BINS = 10
CATEGORY_BINS = 50  # the most frequent values; the others share one bin, those of no vocabulary another
MIN_BIN_ROWS, MIN_BIN_SHARE = 50, 0.05  # either will do: of rarer values the most frequent are those that had luck


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
    counts = tuple(count_column(bins, column, feature).tolist())
    return Distribution(column=name, bins=bins, counts=counts, span=_span(bins, column))


def choose_bins(feature: Feature | Target, column: "pd.Series[Any]") -> Iterator[Bins]:
    """Yield the bins that a column's values are compared in; of moments those of each cycle."""
    if isinstance(feature, Timestamp):
        yield from (CycleBins(cycle=cycle) for cycle in feature.cycles)
    elif isinstance(feature, Boolean):
        yield BooleanBins()
    elif isinstance(feature, Number) or (isinstance(feature, Target) and feature.task == "regression"):
        yield NumberBins(edges=find_quantiles(to_numbers(column, feature), NUMBER_BINS))
    else:
        yield CategoryBins(values=_choose_values(feature, column))


def share_duplicates(frame: pd.DataFrame) -> float:
    """Return the share of rows that repeat an earlier one in every column, by their 64-bit hashes."""
    return float(pd.util.hash_pandas_object(frame, index=False).duplicated().mean())


def _choose_values(feature: Category | Target, column: "pd.Series[Any]") -> tuple[str, ...]:
    known, _ = list_known(feature)
    frequencies = count_values(column)
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
    frequencies = count_values(column)
    known, _ = list_known(feature)
    barely = int(frequencies[frequencies.index.isin(known) & (frequencies == feature.min_rows)].sum())
    *frequent, rest, unseen, missing = learned.counts
    return learned.model_copy(update={"counts": (*frequent, rest - barely, unseen + barely, missing)})


def find_quantiles(numbers: NDArray[Any], bins: int) -> tuple[float, ...]:
    """Return the inner quantiles as edges of that many bins, and one just below each that stands for several."""
    seen = numbers[~np.isnan(numbers)].astype(np.float64)
    if not len(seen):
        return ()
    quantiles = np.quantile(seen, np.arange(1, bins) / bins, method="inverted_cdf")
    edges, repeats = np.unique(quantiles, return_counts=True)
    below = (just_below(edge) for edge in edges[repeats > 1].tolist())
    return tuple(sorted(filter(math.isfinite, {*edges.tolist(), *below})))


def _span(bins: Bins, column: "pd.Series[Any]") -> tuple[str, str] | None:
    low, high = (column.min(), column.max()) if isinstance(bins, NumberBins | CycleBins) else (None, None)
    if pd.isna(low):
        return None
    return (f"{low:.6g}", f"{high:.6g}") if isinstance(bins, NumberBins) else (str(low), str(high))
