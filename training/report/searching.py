"""Searches for slices in which losses are high: of one condition, and of two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ekiben.training.report.welch import MIN_ROWS

WIDENED = 20  # of the conditions that look worst are paired with all others
MAX_FOUND = 8
MAX_OVERLAP = 0.5  # of two slices' rows, as a share of the rows of either
MAX_SHARE = 0.5  # of all rows: what is worse than elsewhere is the smaller part
ERRORS = 2  # standard errors below the gap that was seen: small slices must look worse than large ones
Masks = NDArray[np.bool_]  # (conditions, rows)
Floats = NDArray[np.float32]
Slice = tuple[int, ...]  # the positions of its conditions


@dataclass(frozen=True)
class Found:
    """The slices that look worst, no two of which are much the same, and how many were looked at."""

    slices: tuple[Slice, ...]
    searched: int


def find_worst(masks: Masks, losses: NDArray[np.float64]) -> Found:
    """Return slices by the lower bound of how much higher losses, (rows,), are there than elsewhere."""
    centred = (losses - losses.mean()).astype(np.float32)
    flat = masks.astype(np.float32)
    single = bound_gaps(flat, np.ones((1, len(losses)), np.float32), centred)[:, 0]
    widened = [index for index in np.argsort(-single, kind="stable")[:WIDENED] if np.isfinite(single[index])]
    paired = bound_gaps(flat, flat[widened], centred)  # (conditions, widened)
    for place, index in enumerate(widened):
        paired[index, place:] = -np.inf  # itself, and what the other one of a pair has
    better = paired > np.maximum(single[:, None], single[widened])
    ranked: list[tuple[float, Slice]] = [(float(bound), (index,)) for index, bound in enumerate(single) if bound > 0]
    for index, place in np.argwhere(better & (paired > 0)):
        ranked.append((float(paired[index, place]), (int(widened[place]), int(index))))
    searched = np.isfinite(single).sum() + np.isfinite(paired).sum()
    ranked.sort(key=lambda one: -one[0])
    return Found(tuple(take_distinct(masks, [slice_ for _, slice_ in ranked])), int(searched))


def bound_gaps(flat: Floats, others: Floats, losses: Floats) -> NDArray[np.float64]:
    """Return the lower bound of the gap of each condition, (conditions, rows), with each other, (others, rows).

    It is -∞ where a slice has too few rows, or too many.
    """
    weighed = [(flat @ (others * values).T).astype(np.float64) for values in (np.ones_like(losses), losses, losses**2)]
    rows, sums, squares = weighed
    left, left_sums, left_squares = len(losses) - rows, losses.sum() - sums, (losses**2).sum() - squares
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / rows, left_sums / left
        variances = (squares / rows - means[0] ** 2) / rows + (left_squares / left - means[1] ** 2) / left
        bounds = means[0] - means[1] - ERRORS * np.sqrt(np.maximum(variances, 0))
    usable = (rows >= MIN_ROWS) & (rows <= MAX_SHARE * len(losses))
    return np.where(usable, bounds, -np.inf)


def join(masks: Masks, conditions: Slice) -> NDArray[np.bool_]:
    """Return the rows, (rows,), in which all conditions hold."""
    return np.asarray(masks[list(conditions)].all(axis=0))


def take_distinct(masks: Masks, ranked: Sequence[Slice]) -> Iterator[Slice]:
    """Yield up to MAX_FOUND slices, the first ones first, none of which shares most rows with one before."""
    taken: list[NDArray[np.bool_]] = []
    for conditions in ranked:
        here = join(masks, conditions)
        if all((here & other).sum() <= MAX_OVERLAP * (here | other).sum() for other in taken):
            taken.append(here)
            yield conditions
        if len(taken) == MAX_FOUND:
            return
