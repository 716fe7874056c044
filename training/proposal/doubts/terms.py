"""A target made of two columns at a time: their product, ratio or share, the larger or the smaller one."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from ekiben.training.proposal.doubts.least_squares import NEARLY_EXACT, Table
from ekiben.training.proposal.doubts.order import Values

MAX_COLUMNS = 24  # two by two they are some 1,700 terms
MAX_TERMS = 4
Term = tuple[tuple[str, ...], Values]  # of which columns, and what it is in each row


def find_formula(values: Mapping[str, Values], target: Values, share: float) -> tuple[tuple[str, ...], float] | None:
    """Return the columns of the few terms whose weighted sum is the target, and its R²; None if there are none.

    `share` of the rows have a value. Each term is the one most like what those before it leave unexplained (S. Mallat,
    Z. Zhang, Matching pursuits with time-frequency dictionaries, 1993).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        terms = list(_make_terms({name: values[name] for name in _choose_related(values, target, share)}))
    numbered = {str(index): np.where(np.isfinite(term), term, np.nan) for index, (_, term) in enumerate(terms)}
    table = Table.of(numbered, target, share)
    chosen: list[int] = []
    unexplained = table.target
    for _ in range(min(MAX_TERMS, len(table.names))):
        likeness = np.abs(unexplained @ table.columns)
        likeness[chosen] = 0
        chosen.append(int(likeness.argmax()))
        weights, score = table.fit(chosen)
        if score > NEARLY_EXACT:
            sources = (name for index in chosen for name in terms[int(table.names[index])][0])
            return tuple(dict.fromkeys(sources)), score
        unexplained = table.target - table.columns[:, chosen] @ weights
    return None


def _choose_related(values: Mapping[str, Values], target: Values, share: float) -> list[str]:
    """Return the columns, or of too many those most like the target."""
    table = Table.of(values, target, share)
    likeness = np.abs(table.target @ table.columns)
    return [table.names[index] for index in np.argsort(-likeness, kind="stable")[:MAX_COLUMNS]]


def _make_terms(values: Mapping[str, Values]) -> Iterator[Term]:
    for name, column in values.items():
        yield (name,), column
        yield (name,), column**2
    for one, other in combinations(values, 2):
        first, second = values[one], values[other]
        names = one, other
        yield names, first * second
        yield names, first / second
        yield names, second / first
        yield names, first / (first + second)
        yield names, np.maximum(first, second)
        yield names, np.minimum(first, second)
