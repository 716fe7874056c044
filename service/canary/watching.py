"""One worker's part in watching a canary: what it has counted, and the judgement of what all have."""

import time
from typing import Any

import numpy as np

from ekiben.contract.schema import Target
from ekiben.service.canary.judge import Judge, Verdict
from ekiben.service.canary.memory import AnswerMemory
from ekiben.service.canary.pooling import Pooling
from ekiben.service.canary.state import CanaryState
from ekiben.service.canary.tally import AnswerBins, Tally, TallyCounter

JOINING_S = 30.0  # until then a worker that has begun a canary has seen all of it


class Watch:
    """Counts and judges one canary, whatever its share is."""

    def __init__(
        self, state: CanaryState, bins: AnswerBins, target: Target, pooling: Pooling, why_no_labels: str = ""
    ) -> None:
        """`why_no_labels`: come for the answers, "" if they may."""
        self.began = state.began
        self.counter = TallyCounter(bins)
        self.report: list[dict[str, Any]] = []  # of each guardrail
        self._target, self._pooling, self._why_no_labels = target, pooling, why_no_labels
        self._changed = state.changed
        self.memory = AnswerMemory(target)
        self._judge: Judge | None = None
        if time.time() - state.began < JOINING_S:
            self._judge = self._begin(state, np.zeros_like(self.counter.read()), state.began)

    def note_share(self, state: CanaryState) -> None:
        """Begin to add up losses anew: an hour with other labels and another share would pass for a difference."""
        if state.changed != self._changed:
            self._changed, self.memory = state.changed, AnswerMemory(self._target)

    def _begin(self, state: CanaryState, tally: Tally, now: float) -> Judge:
        return Judge(state.champion, state.candidate, tally, now, self._why_no_labels)

    def look(self, state: CanaryState) -> Verdict | None:
        """Return what is wrong with the candidate, if it is for this worker to judge and something is."""
        pool = self._pooling.exchange(state, self.counter.read(), self.memory.losses, self.report)
        if not pool.judging:
            self._judge, self.report = None, pool.report
            return None
        now = time.time()
        if self._judge is None:  # another worker has judged what was before
            self._judge = self._begin(state, pool.tally, now)
        verdict = self._judge.look(pool.tally, pool.losses, now, state.changed)
        self.report = list(self._judge.describe())
        return verdict
