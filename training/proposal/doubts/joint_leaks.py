"""Which columns give the target away together: it is their sum, difference, product or ratio, or tells the larger.

`total = casual + registered`: each alone is an honest number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ekiben.training.proposal.doubts.least_squares import GIVEN_AWAY, Table, find_sum
from ekiben.training.proposal.doubts.order import Values
from ekiben.training.proposal.doubts.terms import find_formula

MAX_ROWS = 2_000
MIN_ROWS = 50
MIN_CLASS_ROWS = 10
MAX_COMPARED = 60  # columns of a kind, two by two
KNOWN_SHARE = 0.5  # of the rows have a value: the others' are not guessed at
ROUNDS = 3  # a target may be given away in more than one way
SURE = 0.999  # of 1: logarithms are alike in honest tables, too
SHOWN = 4  # columns that are named


@dataclass(frozen=True)
class Given:
    """Columns that give the target away together, and how well."""

    names: tuple[str, ...]
    score: float
    how: str


def find_joint_leaks(
    values: Mapping[str, Values], kinds: Mapping[str, str], target: Values, known: str | None, is_class: bool
) -> dict[str, str]:
    """Return the columns that give the target away only together, and why.

    `values` are those of numbers, booleans and timestamps, which `kinds` tells apart. What is `known` beforehand, the
    time of the split, may be one of several columns that do, and is none that is returned.
    """
    rows = np.random.default_rng(0).permutation(len(target))[:MAX_ROWS]
    left = {name: column[rows] for name, column in values.items()}
    leaks: dict[str, str] = {}
    for _ in range(ROUNDS):
        found = _find_larger(left, kinds, target[rows]) if is_class else _find_formula(left, kinds, target[rows], known)
        fresh = [name for name in found.names if name != known] if found else []
        if found is None or not fresh:
            break
        leaks |= {name: _explain(name, found) for name in fresh}
        left = {name: column for name, column in left.items() if name not in fresh}
    return leaks


def _find_formula(
    values: Mapping[str, Values], kinds: Mapping[str, str], target: Values, known: str | None
) -> Given | None:
    table = Table.of(values, target, KNOWN_SHARE)
    if len(table.target) < MIN_ROWS or not table.names or np.ptp(table.target) == 0:
        return None
    if known in table.names and table.score([table.names.index(known)]) > GIVEN_AWAY:
        return None  # it rises with the time, as everything else that does
    if found := find_sum(table):
        return Given(*found, "a weighted sum")
    numbers = {name: column for name, column in values.items() if kinds[name] == "number"}
    with np.errstate(divide="ignore"):
        logs = {name: np.log(np.abs(column)) for name, column in numbers.items()}
        logged = Table.of(_finite(logs), np.log(np.abs(target)), KNOWN_SHARE)
    if len(logged.target) >= MIN_ROWS and logged.names and np.ptp(logged.target) and (found := find_sum(logged, SURE)):
        return Given(*found, "a product of powers")
    found = find_formula(numbers, target, KNOWN_SHARE) if numbers else None
    return Given(*found, "products, ratios, larger or smaller ones") if found else None


def _finite(columns: Mapping[str, Values]) -> dict[str, Values]:
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in columns.items()}


def _find_larger(values: Mapping[str, Values], kinds: Mapping[str, str], classes: Values) -> Given | None:
    """Return two columns of one kind whose difference tells two classes apart in every row."""
    if len(np.unique(classes)) != 2:
        return None
    second = classes == classes.max()
    for kind in ("timestamp", "number"):
        names = [name for name in values if kinds[name] == kind][:MAX_COMPARED]
        for one, other in combinations(names, 2):
            difference = values[one] - values[other]
            there = ~np.isnan(difference)
            apart = difference[there & second], difference[there & ~second]
            if min(map(len, apart)) >= MIN_CLASS_ROWS and sum(map(len, apart)) >= 2 * MIN_ROWS and _are_apart(*apart):
                return Given((one, other), 1.0, "a threshold of their difference")
    return None


def _are_apart(one: Values, other: Values) -> bool:
    return bool(one.min() > other.max() or one.max() < other.min())


def _explain(name: str, found: Given) -> str:
    others = [other for other in found.names if other != name]
    shown = ", ".join(f"`{other}`" for other in others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
    beside = f"together with {shown}" if others else "by itself"
    measure = "" if found.how.startswith("a threshold") else f"R² {found.score:.3f} of "
    return f"gives the target away {beside}: {measure}{found.how}; a feature if known beforehand"
