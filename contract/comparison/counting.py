"""Counts pairs of answers, and what labels say of them; belongs to one thread."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.comparison.differences import find_disagreements, list_edges, measure_differences
from ekiben.contract.comparison.evidence import NOTHING, add_up, weigh
from ekiben.contract.comparison.losses import Losses
from ekiben.contract.comparison.parts import LabelCount, Part, Reason, SliceCount, Timing
from ekiben.contract.comparison.slices import Slicer
from ekiben.contract.schema import Target


class PairCounter:
    """The counts and sums of one process."""

    def __init__(self, target: Target, slicer: Slicer, source: str, theirs: Target | None = None) -> None:
        """`theirs`: the challenger's target, if it decides from another threshold on."""
        self.edges = list_edges(target)
        self.slicer = slicer
        self._target, self._source, self._theirs = target, source, theirs
        self._since = datetime.now(UTC)
        self._edges = np.array(self.edges)
        self._differences = np.zeros(len(self.edges) + 1, np.int64)
        self._slices = [np.zeros((2, len(names)), np.int64) for names in slicer.names.values()]
        self._compared = self._disagreed = 0
        self._dropped: dict[Reason, int] = {}
        self._received = self._repeated = self._loss = 0
        self._evidence = NOTHING

    def drop(self, reason: Reason, rows: int) -> None:
        """Count rows that are not compared."""
        if rows:
            self._dropped[reason] = self._dropped.get(reason, 0) + rows

    def compare(self, codes: NDArray[np.int32], champion: Answers, challenger: Answers) -> None:
        """Count rows by the champion's codes, (rows, categories), and both answers, (rows, outputs), all finite."""
        differences = measure_differences(self._target, champion, challenger)
        disagree = find_disagreements(self._target, champion, challenger, self._theirs)
        self._compared += len(differences)
        self._disagreed += int(np.count_nonzero(disagree))
        places = np.searchsorted(self._edges, differences)
        self._differences += np.bincount(places, minlength=len(self._differences))
        for counts, counted in zip(self._slices, self.slicer.count(codes, disagree), strict=True):
            counts += counted

    def receive(self, labels: int) -> None:
        """Count labels that came."""
        self._received += labels

    def repeat(self, labels: int) -> None:
        """Count labels of which a first one was here before."""
        self._repeated += labels

    def judge(self, losses: Losses) -> None:
        """Take what labels say of rows that were compared."""
        self._loss += int(losses.champion.sum())
        self._evidence = add_up([self._evidence, weigh(losses)])

    def describe(self, answered: int, waiting: int, champion: Timing, challenger: Timing) -> Part:
        """Return all that was counted so far: of so many answered rows, of which so many found no idle time."""
        rows, gained, squares = self._evidence
        dropped = waiting + self._dropped.get("waiting", 0)
        return Part(
            source=self._source,
            since=self._since,
            until=datetime.now(UTC),
            answered=answered,
            compared=self._compared,
            dropped=self._dropped | ({"waiting": dropped} if dropped else {}),
            differences=_to_tuple(self._differences),
            disagreed=self._disagreed,
            slices=self._describe_slices(),
            champion=champion,
            challenger=challenger,
            labels=LabelCount(
                received=self._received, repeated=self._repeated, loss=self._loss,
                gained=gained, rows=rows, squares=squares,
            ),
        )  # fmt: skip

    def _describe_slices(self) -> Mapping[str, SliceCount]:
        counted = zip(self.slicer.names, self._slices, strict=True)
        return {name: SliceCount(rows=_to_tuple(rows), disagreed=_to_tuple(of)) for name, (rows, of) in counted}


def _to_tuple(counts: Sequence[int] | NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(map(int, counts))
