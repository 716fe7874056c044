"""How far two answers to the same row are apart, and whether they decide differently."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers, decide, name_classes
from ekiben.contract.schema import Target

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
FAR = 0.1  # in the target's scale: numbers that are further apart count as two decisions


def list_edges(target: Target) -> tuple[float, ...]:
    """Return the rising edges of the histogram of differences; its first and last bin have no end."""
    if target.task == "multiclass":
        return STEPS
    positive = STEPS if target.task == "binary" else (*STEPS, 1.0)
    return (*(-step for step in reversed(positive)), *positive)


def name_bins(edges: Sequence[float]) -> list[str]:
    """Return what each bin of a histogram holds."""
    between = [f"{low:+g} to {high:+g}" for low, high in pairwise(edges)]
    return [f"≤ {edges[0]:+g}", *between, f"> {edges[-1]:+g}"]


def describe_difference(target: Target) -> str:
    """Return what is counted in the histogram, for a person."""
    if target.task == "binary":
        return f"the challenger's probability of {name_classes(target)[-1]} less the champion's"
    if target.task == "multiclass":
        return "half the sum of the differences of all probabilities: 0 where answers are equal, 1 at most"
    return "the challenger's value less the champion's, in standard deviations of the target"


def measure_differences(target: Target, champion: Answers, challenger: Answers) -> NDArray[np.float64]:
    """Return how far the answers to each row are apart, (rows,)."""
    apart = challenger.astype(np.float64) - champion
    if target.task == "multiclass":
        halves: NDArray[np.float64] = np.abs(apart).sum(axis=1) / 2
        return halves
    return np.asarray(apart[:, 0] / target.scale)


def find_disagreements(
    target: Target, champion: Answers, challenger: Answers, theirs: Target | None = None
) -> NDArray[np.bool_]:
    """Return which rows get another label, (rows,); of numbers, which differ by more than FAR.

    `theirs` is the challenger's target, if it decides from another threshold on.
    """
    if target.task == "regression":
        return np.abs(measure_differences(target, champion, challenger)) > FAR
    return np.asarray(decide(target, champion) != decide(theirs or target, challenger))
