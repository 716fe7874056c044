"""By how much one network is worse than another on the same rows, and how sure that is: the paired bootstrap.

Draw as many rows as there are, with repetition, again and again, and see how the difference varies: so it would vary
over other test rows of the same kind (Efron 1979; of two models, paired, Koehn 2004). Paired: a row is drawn with both
losses, so that what makes a row hard for both cancels out. Where rows come in groups, whole groups are drawn: ten rows
of one customer are not ten customers. Of very many, sums of some that chance put together are drawn in their place;
their means vary alike, at a bounded cost.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ekiben.training.report.counting import EACH_AS_ITSELF, Counting

RESAMPLES = 4000  # the limits of the narrowest tail that is asked for, 0.05 / 60, are still the third from the end
MAX_GROUPS = 4096
CHUNK = 250  # resamples at a time: 8 MB


class Increase(NamedTuple):
    """By which share of the champion's mean loss the new one's is larger, and between which bounds that lies."""

    mean: float
    low: float
    high: float


def estimate_increase(
    ours: NDArray[np.float64],
    champion: NDArray[np.float64],
    alpha: float,
    seed: int,
    counting: Counting = EACH_AS_ITSELF,
) -> Increase:
    """Return the increase of the mean loss over the champion's; `ours` and `champion` are losses, (rows,) each.

    They are weighted already. The bounds hold with the probability 1 - `alpha`.
    """
    random = np.random.default_rng(seed)
    new, old = _gather(counting.add_up(np.stack([ours, champion])), random)  # (drawn from,) each: sums
    chunks = [_draw(new, old, random, CHUNK) for _ in range(0, RESAMPLES, CHUNK)]
    low, high = np.quantile(np.concatenate(chunks), (alpha / 2, 1 - alpha / 2))
    return Increase(_compare(float(ours.sum()), float(champion.sum())), float(low), float(high))


def _gather(losses: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return the losses, (2, units), as at most MAX_GROUPS sums of units drawn at random, (2, sums)."""
    units = losses.shape[1]
    if units <= MAX_GROUPS:
        return losses
    group = random.permutation(units) % MAX_GROUPS
    return np.stack([np.bincount(group, weights=one, minlength=MAX_GROUPS) for one in losses])


def _draw(
    new: NDArray[np.float64], old: NDArray[np.float64], random: np.random.Generator, times: int
) -> NDArray[np.float64]:
    drawn = random.integers(0, len(new), (times, len(new)))
    sums = new[drawn].sum(axis=1), old[drawn].sum(axis=1)
    return np.array([_compare(one, other) for one, other in zip(*sums, strict=True)])


def _compare(new: float, old: float) -> float:
    return new / old - 1 if old > 0 else float(np.inf) if new > 0 else 0.0
