"""The slices that disagreement is counted in: a few categories, of each the most frequent values."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.feature import Category
from ekiben.contract.reference.bins import CategoryBins, list_known
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema

MAX_FEATURES = 8
MAX_VALUES = 8
REST = ("other known values", "rare, new or missing")


class Slicer:
    """Knows the slice of each row's category codes."""

    def __init__(self, schema: Schema, reference: Reference | None, first: Sequence[str] = ()) -> None:
        """`first`: the features that go first, such as those that a problem names for its evaluation."""
        names = {feature.name: column for column, feature in enumerate(schema.categories)}
        chosen = [name for name in dict.fromkeys([*first, *names]) if name in names][:MAX_FEATURES]
        self._columns = [names[name] for name in chosen]
        values = {name: _choose_values(schema.categories[names[name]], reference) for name in chosen}
        self.names: Mapping[str, tuple[str, ...]] = {name: (*found, *REST) for name, found in values.items()}
        self._tables = [_place(schema.categories[names[name]], found) for name, found in values.items()]

    def count(self, codes: NDArray[np.int32], of: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """Return how many rows are in each slice, and how many `of` them: (2, slices) for each feature.

        `codes` are (rows, categories), `of` is (rows,).
        """
        counted = []
        for column, table, names in zip(self._columns, self._tables, self.names.values(), strict=True):
            places = table[codes[:, column]]
            counts = [np.bincount(some, minlength=len(names)) for some in (places, places[of])]
            counted.append(np.array(counts, np.int64))
        return counted


def _choose_values(feature: Category, reference: Reference | None) -> list[str]:
    """Return the most frequent values of training's table, as far as they are known."""
    known, _ = list_known(feature)
    for distribution in reference.distinct if reference else ():
        bins = distribution.bins
        if distribution.column == feature.name and isinstance(bins, CategoryBins):
            order = np.argsort(-np.array(distribution.counts[: len(bins.values)]), kind="stable")
            frequent = [bins.values[index] for index in order]
            return [value for value in frequent if value in known][:MAX_VALUES]
    return [value for value in feature.vocabulary if value in known][:MAX_VALUES]


def _place(feature: Category, values: Sequence[str]) -> NDArray[np.intp]:
    """Return the slice of each code."""
    known, _ = list_known(feature)
    place_of = {value: place for place, value in enumerate(values)}
    table = np.full(len(feature.vocabulary) + 1, len(values) + 1, np.intp)
    for code, value in enumerate(feature.vocabulary, start=UNSEEN + 1):
        if value in known:
            table[code] = place_of.get(value, len(values))
    return table
