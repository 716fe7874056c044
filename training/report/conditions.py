"""What rows can be sliced by when nobody says by what: each feature's frequent values, ranges, months and hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Feature, Number, Timestamp
from ekiben.contract.schema import Schema
from ekiben.training.evaluate.slices import cut
from ekiben.training.evaluate.text import format_number

FIFTHS = 5  # ranges of a number
MAX_VALUES = 8  # of a number that is looked at value by value
NIGHT_TO_EVENING = ("0 to 5 h", "6 to 11 h", "12 to 17 h", "18 to 23 h")
MISSING = "missing"


@dataclass(frozen=True)
class Condition:
    """A feature, what it is, and where that is so."""

    feature: str
    holds: str  # such as "12 to 30", for people
    rows: NDArray[np.bool_]


def list_conditions(schema: Schema, table: pd.DataFrame) -> Iterator[Condition]:
    """Yield the conditions on the features of a table's rows."""
    for feature in schema.features:
        for keys in _list_keys(feature, table[feature.name]):
            names, slice_of, left_out = cut(keys)
            for index, name in enumerate(names[:-1] if left_out else names):
                yield Condition(feature.name, MISSING if name in (None, "") else str(name), slice_of == index)
    codes = Encoder(schema).encode(table).codes
    for index, category in enumerate(schema.categories):
        yield Condition(category.name, "a value that training never saw", codes[:, index] == UNSEEN)


def _list_keys(feature: Feature, column: pd.Series) -> Iterator[pd.Series]:
    if isinstance(feature, Timestamp):
        yield column.dt.month_name()
        yield column.dt.day_name()
        if "hour" in feature.cycles:
            yield _name(column.dt.hour // 6, NIGHT_TO_EVENING)
    elif isinstance(feature, Number):
        yield _cut_number(column.astype(np.float64), feature)
    else:
        yield column


def _cut_number(numbers: "pd.Series[float]", feature: Number) -> pd.Series:
    """Return the fifth that each number is in, or itself where there are few."""
    known = numbers.dropna().to_numpy()
    few = len(np.unique(known)) <= MAX_VALUES
    edges = np.unique(known) if few else np.unique(np.quantile(known, np.linspace(0, 1, FIFTHS + 1)))
    texts = [format_number(edge).removesuffix(".000") for edge in edges]
    unit = f" {feature.unit}" if feature.unit else ""
    if few:
        return _name(numbers.map({edge: index for index, edge in enumerate(edges)}), [text + unit for text in texts])
    ranges = [f"{low} to {high}{unit}" for low, high in pairwise(texts)]
    places = np.searchsorted(edges[1:-1], numbers.to_numpy(), side="right")
    return _name(pd.Series(places).where(numbers.notna().to_numpy()), ranges)


def _name(places: pd.Series, names: "list[str] | tuple[str, ...]") -> pd.Series:
    return places.map(dict(enumerate(names)))
