"""Whether the challenger is better, as an answer that holds however often one looks.

A p-value is right once. Who looks at it every day and stops as soon as it is small finds a winner between equal models
sooner or later. A bet does not have that fault. Start with 1, and before each label stake a share λ of what there is on
the challenger: a gain x in its loss (`losses`) multiplies the capital by about 1 + λx. If the challenger is no better,
the game is at best fair, and a fair game reaches 1/α with a probability of α at most, whenever one stops (Ville, 1939).
So a capital of 2/α is evidence that the challenger is better, and the same bet on the champion that it is worse.

What makes it computable from sums is that 1 + λx ≥ exp(λx − ψ(λ) x²) with ψ(λ) = (−ln(1 − λc) − λc) / c² wherever
x ≥ −c and λc < 1 (Fan, Grama and Liu, Electronic Journal of Probability, 2015): the bet on a thousand labels needs only
their number, sum and squares. It is the empirical Bernstein confidence sequence of Howard, Ramdas, McAuliffe and Sekhon
(Annals of Statistics, 2021) and of Waudby-Smith and Ramdas (JRSS B, 2024), with 0 in place of the running mean, near
which that of a paired difference is. So the order of the labels does not matter, and sums of workers and replicas add
up, to the last digit.

Nobody knows the best λ, so the capital is spread over powers of two. A row's own bound c, known before its label, is
rounded up to a power of √2; the stakes with λc ≥ 1 are lost as the row comes, so few labels of rows on which
the models are far apart cost the large stakes, which find small differences soon. Nothing is assumed of the rows: they
may drift, and depend on each other. What is estimated is the mean gain to be expected on these very rows, each given
all before it, as Choe and Ramdas compare forecasters (Operations Research, 2024).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.comparison.losses import MAX_BOUND, STEPS, Losses

ALPHA = 0.05  # of both mistakes together: to call a worse challenger better, or a better one worse
LEAST, LARGEST = -10, 5  # of the stakes, as powers of two; the best one is about the mean gain over its variance
STAKES = np.exp2(np.arange(LEAST, LARGEST + 1))  # (stakes,) float64
BOUNDS = np.exp2(np.arange(-LARGEST - 1, math.log2(MAX_BOUND) + 0.5, 0.5))  # (bounds,): the least allows every stake
MAX_MORE = 10_000_000  # labels that are worth an estimate
HALVINGS = 60
Floats = NDArray[np.float64]


class Evidence(NamedTuple):
    """What labels have said so far; two add up field by field."""

    rows: tuple[int, ...]  # with labels, by their bound
    gained: int  # the sum of what the challenger's loss was smaller by, in steps
    squares: tuple[int, ...]  # the sums of its squares, by bound


NOTHING = Evidence((0,) * len(BOUNDS), 0, (0,) * len(BOUNDS))


class Interval(NamedTuple):
    """What the mean gain is, and between which values it lies at any time with a probability of 1 − ALPHA."""

    mean: float
    low: float
    high: float


def weigh(losses: Losses) -> Evidence:
    """Return the evidence of some rows."""
    place = np.searchsorted((BOUNDS * STEPS).astype(np.int64), losses.bound)
    squares = [0] * len(BOUNDS)
    for index, gained in zip(place.tolist(), losses.gained.tolist(), strict=True):
        squares[index] += gained * gained  # Python's integers: they have no end
    rows = np.bincount(place, minlength=len(BOUNDS))
    return Evidence(tuple(rows.tolist()), int(losses.gained.sum()), tuple(squares))


def add_up(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence of all parts."""
    rows, gained, squares = zip(NOTHING, *parts, strict=True)
    return Evidence(tuple(map(sum, zip(*rows, strict=True))), sum(gained), tuple(map(sum, zip(*squares, strict=True))))


def estimate(evidence: Evidence) -> Interval:
    """Return the mean gain of a label and its confidence sequence; without a label it may be anything."""
    labels = sum(evidence.rows)
    if not labels:
        return Interval(0.0, -MAX_BOUND, MAX_BOUND)
    reach = _find_reach(_charge(evidence)) / labels
    mean = evidence.gained / STEPS / labels
    return Interval(mean, mean - reach, mean + reach)


def is_proved(gained: Floats, charges: Floats) -> NDArray[np.bool_]:
    """Return whether sums of gains, (…,), with their charges, (…, stakes), prove that the gain is above 0."""
    return np.asarray(_log_capital(gained, charges) >= math.log(2 / ALPHA))


def charge(rows: Floats, squares: Floats) -> Floats:
    """Return what the squares of gains cost each stake, (…, stakes): infinity where a row's bound forbids it.

    Both are (…, bounds).
    """
    lost = np.tensordot((rows > 0).astype(np.float64), LOST, (-1, 1)) > 0
    return np.where(lost, np.inf, np.tensordot(squares, COSTS, (-1, 1)))


def count_missing(evidence: Evidence) -> int | None:
    """Return about how many labels more will decide, if they are as those so far; None if that is beyond MAX_MORE."""
    labels, gained = sum(evidence.rows), abs(evidence.gained) / STEPS
    if not labels:
        return None
    charges = _charge(evidence)
    low, high = 0.0, math.log((labels + MAX_MORE) / labels)  # of the factor by which all sums grow
    if not is_proved(np.array(gained * math.exp(high)), charges * math.exp(high)):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if is_proved(np.array(gained * math.exp(middle)), charges * math.exp(middle)):
            high = middle
        else:
            low = middle
    return math.ceil(labels * math.expm1(high))


def _charge(evidence: Evidence) -> Floats:
    squares = np.array([one / STEPS**2 for one in evidence.squares])
    return charge(np.array(evidence.rows, np.float64), squares)


def _find_reach(charges: Floats) -> float:
    """Return the sum of gains from which on it is proved that the mean is above 0."""
    alive = np.isfinite(charges)
    needed = math.log(2 / ALPHA) + math.log(len(STAKES))
    low, high = 0.0, float(((needed + charges[alive]) / STAKES[alive]).min())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if is_proved(np.array(middle), charges):
            high = middle
        else:
            low = middle
    return high


def _log_capital(gained: Floats, charges: Floats) -> Floats:
    bets = gained[..., None] * STAKES - charges
    best = bets.max(axis=-1)
    logs: Floats = best + np.log(np.exp(bets - best[..., None]).mean(axis=-1))
    return logs


STAKED = STAKES[:, None] * BOUNDS  # (stakes, bounds)
LOST = (STAKED >= 1).astype(np.float64)
COSTS = (1 - LOST) * (-np.log1p(-np.where(LOST, 0, STAKED)) - STAKED) / BOUNDS**2  # ψ where it is defined
