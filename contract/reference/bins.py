"""The bins that a column's values are counted in, so that rows of any number can be compared."""

import calendar
import math
import sys
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ekiben.contract.category_codes import MISSING
from ekiben.contract.feature import NULL_SPELLINGS, Category, Cycle, Feature
from ekiben.contract.schema import Target


class Frozen(BaseModel):
    """What is written once and only read later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberBins(Frozen):
    """Bin i holds `edges[i - 1]` < number ≤ `edges[i]`; the first and the last have no end.

    A number so frequent that it is several quantiles has a bin of its own.
    """

    kind: Literal["number"] = "number"
    edges: tuple[float, ...]  # rising

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

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        return (*(f"'{value}'" for value in self.values), "other known values", "rare or new values")


class BooleanBins(Frozen):
    """False and true."""

    kind: Literal["boolean"] = "boolean"

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        return ("false", "true")


class CycleBins(Frozen):
    """The hours of a day, the days of a week or the months of a year.

    Of a moment the network sees no more than where it lies in its cycles, and a later table has later moments.
    In a leap year a month begins a day early from March on: the network can't tell such a year from another.
    """

    kind: Literal["cycle"] = "cycle"
    cycle: Cycle

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin holds."""
        if self.cycle == "hour":
            return tuple(f"{hour:02}:00" for hour in range(24))
        return tuple(calendar.day_name) if self.cycle == "weekday" else tuple(calendar.month_name)[1:]


Bins = Annotated[NumberBins | CategoryBins | BooleanBins | CycleBins, Field(discriminator="kind")]


def just_below(value: float) -> float:
    """Return the float before a value; before 0 the first that is not a subnormal: some CPU modes take those for 0."""
    return math.nextafter(value, -math.inf) if value else -sys.float_info.min


def list_known(feature: Feature | Target) -> tuple[frozenset[str], frozenset[str]]:
    """Return the strings that are known, and those that stand for a missing value."""
    if isinstance(feature, Target):
        return frozenset(map(str, feature.classes)), frozenset()
    assert isinstance(feature, Category)
    known = frozenset(feature.vocabulary) - ({MISSING} if feature.nullable else set())
    return known, NULL_SPELLINGS - known if feature.nullable else frozenset()


def _show(edge: float) -> str:
    return f"{edge:.6g}" if abs(edge) > sys.float_info.min else "0"
