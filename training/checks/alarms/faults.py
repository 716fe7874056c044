"""Faults that services meet, in encoded rows: another unit, a missing column, a stuck value, swapped categories."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema

Numbers = NDArray[Any]
# What a number's declared unit may be taken for.
CONVERSIONS: dict[str, tuple[str, Callable[[Numbers], Numbers]]] = {
    "°F": ("°C", lambda values: (values - 32) / 1.8),
    "mph": ("m/s", lambda values: values * 0.44704),
    "mbar": ("kPa", lambda values: values / 10),
    "miles": ("km", lambda values: values * 1.609344),
    "inches": ("mm", lambda values: values * 25.4),
}
DIGITS = 2  # that a converted value is rounded to
SWAPPED = 3  # categories, each with each


@dataclass(frozen=True)
class Fault:
    """What happens to one feature; `change` returns its values, (rows,), of values and days."""

    feature: str
    title: str
    change: Callable[[NDArray, NDArray[np.intp]], NDArray]


def list_faults(schema: Schema, encoded: Encoded) -> Iterator[Fault]:
    """Yield the faults of a schema's features; the categories that are swapped are the most frequent of rows."""
    for feature in schema.plain:
        if not isinstance(feature, Number):
            continue
        if feature.unit in CONVERSIONS:
            unit, convert = CONVERSIONS[feature.unit]
            yield Fault(feature.name, f"{feature.unit} → {unit}", _converting(convert))
        yield Fault(feature.name, "all missing", lambda values, days: np.full_like(values, np.nan))
        yield Fault(feature.name, "stuck all day", stick)
    for column, category in enumerate(schema.categories):
        for first, second in combinations(_find_frequent(encoded.codes[:, column]), 2):
            title = f"{_spell(category, first)} ↔ {_spell(category, second)}"
            yield Fault(category.name, title, _swapping(first, second))
        yield Fault(category.name, "all never seen", lambda codes, days: np.full_like(codes, UNSEEN))


def apply(fault: Fault, schema: Schema, encoded: Encoded, days: NDArray[np.intp]) -> Encoded:
    """Return a copy of rows, each of its day, with the fault in them."""
    numbers, codes = encoded.numbers.copy(), encoded.codes.copy()
    names = [feature.name for feature in schema.plain]
    if fault.feature in names:
        values: NDArray[Any] = numbers[:, names.index(fault.feature)]
    else:
        values = codes[:, [feature.name for feature in schema.categories].index(fault.feature)]
    values[:] = fault.change(values, days)
    return Encoded(numbers, codes)


def stick(values: Numbers, days: NDArray[np.intp]) -> Numbers:
    """Return each day's first value for all of its rows, but leave missing ones missing."""
    present = np.flatnonzero(~np.isnan(values))
    firsts = np.full(int(days.max(initial=0)) + 1, np.nan, np.float32)
    firsts[days[present[::-1]]] = values[present[::-1]]
    stuck: Numbers = np.where(np.isnan(values), values, firsts[days])
    return stuck


def _converting(convert: Callable[[Numbers], Numbers]) -> Callable[[NDArray, NDArray[np.intp]], NDArray]:
    return lambda values, days: np.round(convert(values), DIGITS)


def _swapping(first: int, second: int) -> Callable[[NDArray, NDArray[np.intp]], NDArray]:
    return lambda codes, days: np.where(codes == first, second, np.where(codes == second, first, codes))


def _find_frequent(codes: NDArray[np.int32]) -> list[int]:
    """Return the codes of the most frequent categories."""
    counts = np.bincount(codes, minlength=UNSEEN + 1)
    counts[UNSEEN] = 0
    frequent = np.argsort(-counts, kind="stable")[:SWAPPED]
    return [int(code) for code in frequent if counts[code]]


def _spell(category: Category, code: int) -> str:
    return category.vocabulary[code - 1] or "null"
