"""What is counted of the champion's and the candidate's answers: one array, so that workers' counts add up."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.reference.bins import NumberBins
from ekiben.contract.reference.counting import main_answer
from ekiben.contract.reference.placing import floor_to_float32
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Target
from ekiben.service.canary.choosing import GROUPS

ARMS = 2  # 0 the champion, 1 the candidate
BOUNDS_S = tuple(0.0001 * 2 ** (step / 4) for step in range(81))  # of durations: 0.1 ms to 105 s, each 19% above
FAILED = 0
DURATIONS = slice(1, len(BOUNDS_S) + 2)
ANSWERS = slice(len(BOUNDS_S) + 2, None)
PROBABILITIES = tuple(step / 20 for step in range(1, 20))  # the edges if training's are not known
Tally = NDArray[np.float64]  # (ARMS, GROUPS, failed + durations + bins of answers)


class AnswerBins:
    """The bins that answers of both versions are counted in: training's, of many classes the classes."""

    def __init__(self, target: Target, reference: Reference | None) -> None:
        known = (one.bins.edges for one in (reference.answers if reference else ()) if isinstance(one.bins, NumberBins))
        edges = next(known, PROBABILITIES if target.task == "binary" else ())
        self._target, self._classes = target, target.task == "multiclass"
        self._edges = tuple(map(floor_to_float32, edges))
        self.count = len(target.classes) if self._classes else len(edges) + 1

    def share(self, answers: Answers) -> list[tuple[int, float]]:
        """Return the share of a request's rows in each bin that has any; NaN is in the last."""
        if len(answers) == 1:
            row = answers[0]
            return [(int(row.argmax()) if self._classes else bisect_left(self._edges, float(row[0])), 1.0)]
        places = (
            answers.argmax(axis=1)
            if self._classes
            else np.searchsorted(self._edges, main_answer(self._target, answers), side="left")
        )
        found, counts = np.unique(places, return_counts=True)
        return list(zip(found.tolist(), (counts / len(answers)).tolist(), strict=True))


class TallyCounter:
    """Counts the requests of one process while a canary runs: 1 µs each."""

    def __init__(self, bins: AnswerBins) -> None:
        self._bins = bins
        self._width = 1 + len(BOUNDS_S) + 1 + bins.count
        self._counts = [0.0] * (ARMS * GROUPS * self._width)

    def count_answer(self, arm: int, group: int, seconds: float, answers: Answers) -> None:
        """Count a request that was answered: once, however many rows it has, since its rows may be alike."""
        start = (arm * GROUPS + group) * self._width
        self._counts[start + DURATIONS.start + bisect_left(BOUNDS_S, seconds)] += 1.0
        for place, share in self._bins.share(answers):
            self._counts[start + ANSWERS.start + place] += share

    def count_failure(self, arm: int, group: int) -> None:
        """Count a request that got no answer, by no fault of its caller."""
        self._counts[(arm * GROUPS + group) * self._width + FAILED] += 1.0

    def read(self) -> Tally:
        """Return all that was counted."""
        return np.array(self._counts).reshape(ARMS, GROUPS, self._width)


def find_quantile_s(durations: NDArray[np.float64], quantile: float) -> float:
    """Return what so large a share of the durations stays below, in seconds, to the upper bound of its bucket."""
    total = durations.sum()
    passed = int(np.searchsorted(np.cumsum(durations), quantile * total))
    return BOUNDS_S[min(passed, len(BOUNDS_S) - 1)]


def count_above(durations: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """Return how many are certainly longer; the last axis are the buckets."""
    return np.asarray(durations[..., bisect_left(BOUNDS_S, seconds) + 1 :].sum(axis=-1))


def measure_design_effect(groups: Sequence[NDArray[np.float64]]) -> float:
    """Return by how much callers who differ from each other spoil a comparison of their counts, at least 1.

    Callers stay with their version, so two versions' callers are never quite alike: a thousand answers to ten callers
    are worth less than to a thousand. How much less, the groups of callers within one version show: it is how much
    farther their shares lie apart than chance alone has it (Pearson's statistic by its degrees of freedom). Counts
    divided by it may be compared as if each were another caller's: J. N. K. Rao and A. J. Scott, The analysis of
    categorical data from complex sample surveys, JASA 76, 1981. Takes the counts of each arm, (GROUPS, bins).
    """
    statistic = freedom = 0.0
    for counts in groups:
        present, bins = counts[counts.sum(axis=1) > 0], counts.sum(axis=0) > 0
        if len(present) < 2 or bins.sum() < 2:
            continue
        observed = present[:, bins]
        expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
        statistic += float(((observed - expected) ** 2 / expected).sum())
        freedom += (len(present) - 1) * (int(bins.sum()) - 1)
    return max(1.0, statistic / freedom) if freedom else 1.0
