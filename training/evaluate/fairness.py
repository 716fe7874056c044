"""Are groups of rows treated alike: who is selected, who of those that deserve it, and who of those that do not.

Three rates of each group: of the rows that are selected (decided for the class), of those whose label is the class that
are selected (true positive rate), and of the others that are (false positive rate). Each stands beside that of the
largest group as a ratio. Groups differ in size, so each number has a 95% interval: without it the smallest group always
looks the worst.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.answers import decide, name_classes
from ekiben.contract.schema import Target
from ekiben.training.evaluate.slices import cut, slice_keys
from ekiben.training.evaluate.weights import Weights

Z = 1.96  # of a 95% interval
FAIR = (0.8, 1.25)  # the four-fifths rule: ratios between these are not held against anybody
UNKNOWN = -1  # the label that has not come
MAX_CLASSES = 5  # of several classes those that are decided for most often
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


@dataclass(frozen=True)
class Interval:
    """A number, and the bounds between which it lies with 95%."""

    value: float
    low: float
    high: float


def find_wilson(share: float, rows: float, z: float = Z) -> Interval:
    """Return a share of rows with Wilson's interval (1927), in which the normal distribution reaches to `z`."""
    spread = z**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    reach = (z / (1 + spread)) * float(np.sqrt(share * (1 - share) / rows + spread / (4 * rows)))
    return Interval(share, max(0.0, centre - reach), min(1.0, centre + reach))


@dataclass(frozen=True)
class Share:
    """How many of how many rows; of weighted ones as many as are worth as much (Kish 1965)."""

    happened: float
    rows: float

    @property
    def rate(self) -> Interval | None:
        """The share with Wilson's interval (1927), which holds for few rows too; None of no row."""
        if not self.rows:
            return None
        return find_wilson(self.happened / self.rows, self.rows)

    def compare(self, other: "Share") -> Interval | None:
        """Return the ratio to another share, with Katz's interval of its logarithm (1978); None if there is none.

        Where it happened in no row or in all, half a row is added to both sides, as for odds (Haldane 1956).
        """
        if not (self.rows and other.rows and other.happened):
            return None
        added = 0.0 if 0 < self.happened < self.rows and other.happened < other.rows else 0.5
        parts = [(share.happened + added, share.rows + 2 * added) for share in (self, other)]
        (happened, rows), (others_happened, others_rows) = parts
        centre = np.log(happened / rows) - np.log(others_happened / others_rows)
        reach = Z * np.sqrt(1 / happened - 1 / rows + 1 / others_happened - 1 / others_rows)
        value = (self.happened / self.rows) / (other.happened / other.rows)
        return Interval(value, float(min(value, np.exp(centre - reach))), float(max(value, np.exp(centre + reach))))


@dataclass(frozen=True)
class GroupRates:
    """How the rows of one group are treated; a rate or a ratio that no row says anything of is None."""

    group: str
    selected: str  # the class that they are selected for
    rows: int
    rates: Mapping[str, Interval | None]
    ratios: Mapping[str, Interval | None]  # to the largest group; of that itself none

    def flatten(self) -> dict[str, str | int | float | None]:
        """Return the numbers as one row of a table."""
        row: dict[str, str | int | float | None] = {"group": self.group, "selected": self.selected, "rows": self.rows}
        for name in RATES:
            for kind, interval in (("", self.rates[name]), ("_ratio", self.ratios.get(name))):
                for bound in ("value", "low", "high"):
                    key = f"{name}{kind}" + ("" if bound == "value" else f"_{bound}")
                    row[key] = None if interval is None else getattr(interval, bound)
        return row


def compare_groups(
    target: Target, labels: np.ndarray, answers: np.ndarray, column: pd.Series, weights: Weights = None
) -> list[GroupRates]:
    """Return the rates of each group that a column, (rows,), makes, the largest first.

    `labels`, (rows,), are 0 and 1 or positions of classes, or UNKNOWN; `answers` are (rows, outputs) probabilities.
    """
    groups, group_of, _ = cut(slice_keys(column))
    names = ["(missing)" if name is None else name for name in groups]
    order = np.argsort(-np.bincount(group_of, minlength=len(names)), kind="stable")
    decided = decide(target, answers)
    weight = np.ones(len(labels)) if weights is None else weights
    compared = []
    for selected in _choose_classes(target, decided):
        shares = [_count(group_of == group, decided == selected, labels, selected, weight) for group in order]
        for group, counted in zip(order, shares, strict=True):
            compared.append(
                GroupRates(
                    names[group],
                    name_classes(target)[selected],
                    int((group_of == group).sum()),
                    {name: counted[name].rate for name in RATES},
                    {name: counted[name].compare(shares[0][name]) for name in RATES} if group != order[0] else {},
                )
            )
    return compared


def describe_unfair(column: str, groups: Sequence[GroupRates]) -> Iterator[str]:
    """Yield a sentence for each ratio that lies beyond the four-fifths rule with its whole interval."""
    for group in groups:
        for name, ratio in group.ratios.items():
            if ratio and (ratio.high < FAIR[0] or ratio.low > FAIR[1]):
                largest = next(other.group for other in groups if other.selected == group.selected)
                bounds = f"{ratio.low:.2f} to {ratio.high:.2f}"
                yield (
                    f"`{column}`: the {name.replace('_', ' ')} for {group.selected} of {group.group} is "
                    f"{ratio.value:.2f} times that of {largest} ({bounds})"
                )


def name_group(target: Target, group: GroupRates) -> str:
    """Return what to call a group: of more than two classes with the one that it is selected for."""
    return group.group if target.task == "binary" else f"{group.group}, {group.selected}"


def _choose_classes(target: Target, decided: NDArray[Any]) -> list[int]:
    if target.task == "binary":
        return [1]
    return np.argsort(-np.bincount(decided, minlength=len(target.classes)), kind="stable")[:MAX_CLASSES].tolist()


def _count(
    here: NDArray[np.bool_], chosen: NDArray[np.bool_], labels: np.ndarray, selected: int, weight: np.ndarray
) -> dict[str, Share]:
    known = here & (labels != UNKNOWN)
    deserving = labels == selected
    parts = dict(zip(RATES, (here, known & deserving, known & ~deserving), strict=True))
    return {name: _weigh(chosen[rows], weight[rows]) for name, rows in parts.items()}


def _weigh(chosen: NDArray[np.bool_], weight: np.ndarray) -> Share:
    if not len(chosen):
        return Share(0.0, 0.0)
    rows = float(weight.sum() ** 2 / (weight**2).sum())
    return Share(float((weight * chosen).sum() / weight.sum()) * rows, rows)
