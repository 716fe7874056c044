"""Counts a table's columns in bins: as the rows would be counted once they are encoded."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.feature import Feature, Timestamp
from ekiben.contract.reference.bins import Bins, BooleanBins, CategoryBins, CycleBins, NumberBins, list_known
from ekiben.contract.reference.counting import Counts
from ekiben.contract.reference.placing import NumberPlacer, place_cycle
from ekiben.contract.schema import Target
from ekiben.contract.timestamps import encode_cycles, to_seconds


def count_column(bins: Bins, column: "pd.Series[Any]", feature: Feature | Target) -> Counts:
    """Return the rows in each bin; the last count is that of missing values."""
    if isinstance(bins, CategoryBins):
        return _count_categories(bins, column, feature)
    if isinstance(bins, BooleanBins):
        seen, true = int(column.count()), int(column.sum())
        return np.array([seen - true, true, len(column) - seen])
    if isinstance(feature, Target):
        return _count_labels(bins, to_numbers(column, feature))
    if isinstance(bins, CycleBins):
        assert isinstance(feature, Timestamp)
        points = encode_cycles(to_seconds(feature, column), (bins.cycle,))
        places = place_cycle(bins.cycle, points.T)
    else:
        places = NumberPlacer([bins.edges]).place(to_numbers(column, feature)[None])[0].astype(np.intp)
    return np.bincount(places, minlength=len(bins.labels) + 1)


def to_numbers(column: "pd.Series[Any]", feature: Feature | Target) -> NDArray[Any]:
    """Return the values as the network sees them, NaN where missing; a target's are its labels, in float64."""
    numbers = column.to_numpy(np.float64, na_value=np.nan)
    if isinstance(feature, Target):
        return numbers
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def count_values(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return how often each value stands in a column, by its text."""
    frequencies = column.value_counts(sort=False)
    frequencies.index = frequencies.index.astype(str)
    return frequencies


def _count_categories(bins: CategoryBins, column: "pd.Series[Any]", feature: Feature | Target) -> Counts:
    frequencies = count_values(column)
    known, nulls = list_known(feature)
    seen = frequencies[~frequencies.index.isin(nulls)]
    frequent = seen.reindex(list(bins.values), fill_value=0).to_numpy(np.int64)
    rest = int(seen[seen.index.isin(known)].sum()) - int(frequent.sum())
    unseen = int(seen.sum()) - int(frequent.sum()) - rest
    return np.array([*frequent, rest, unseen, len(column) - int(seen.sum())])


def _count_labels(bins: NumberBins | CycleBins, labels: NDArray[np.float64]) -> Counts:
    assert isinstance(bins, NumberBins)
    seen = labels[~np.isnan(labels)]
    counts = np.bincount(np.searchsorted(np.array(bins.edges), seen), minlength=len(bins.labels))
    return np.append(counts, len(labels) - len(seen))
