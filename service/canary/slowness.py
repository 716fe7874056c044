"""The guardrail of slow answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ekiben.service.canary.evidence import Detector, Rate, bet_above, bet_on_rates
from ekiben.service.canary.guardrails import MAX_FORTUNE, MIN_ANSWERS, Seen, explain_waiting, guess, say
from ekiben.service.canary.tally import DURATIONS, count_above, find_quantile_s, measure_design_effect

TAIL = 0.01  # above the 99th percentile
ADDED_SLOW = (0.01, 0.02, 0.05, 0.1, 0.3, 0.9)
SLOWER, SLOWER_S = 2.0, 0.001  # a candidate may take twice as long, and a millisecond longer in any case


@dataclass
class Slowness:
    """Takes more than twice the champion's 99th percentile, and a millisecond more, for over 1% of its answers."""

    name: str = "p99"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    detector: Detector = field(default_factory=lambda: Detector(len(ADDED_SLOW), MAX_FORTUNE))
    since: float = 0.0

    def look(self, seen: Seen) -> str:
        champion, candidate = seen.total[:, :, DURATIONS].sum(axis=1)
        before = seen.recent[0, :, DURATIONS].sum(axis=0)
        if waiting := explain_waiting(seen.total[:, :, DURATIONS].sum(axis=2)):
            self.now = {"waits for": waiting}
            return ""
        self.now = {
            "champion_ms": round(1000 * find_quantile_s(champion, 1 - TAIL), 2),
            "candidate_ms": round(1000 * find_quantile_s(candidate, 1 - TAIL), 2),
        }
        if before.sum() < MIN_ANSWERS:
            return ""
        p99_s = _bound_p99_s(before)
        limit_s, allowed = max((SLOWER * p99_s, "twice"), (p99_s + SLOWER_S, "a millisecond above"))
        then, late = (
            Rate(float(count_above(arm, limit_s).sum()), float(arm.sum())) for arm in seen.fresh[:, :, DURATIONS]
        )
        enough = self.detector.add(self._bet(seen, limit_s), then, late, seen.since)
        self.progress, self.since = self.detector.progress, self.detector.since
        if not enough:
            return ""
        then, late = self.detector.seen
        return (
            f"{say(late)} answers of {{candidate}} took longer than {1000 * limit_s:.3g} ms, {allowed} the 99th "
            f"percentile of {{champion}}, of whose answers {say(then)} did"
        )

    def _bet(self, seen: Seen, limit_s: float) -> Any:
        """Bet against both excuses: it is late no more often than 1%, or no more often than the champion just now."""
        slow = count_above(seen.recent[:, :, DURATIONS], limit_s)
        totals = seen.recent[:, :, DURATIONS].sum(axis=2)
        effect = measure_design_effect([np.stack([slow[arm], totals[arm] - slow[arm]], axis=1) for arm in (0, 1)])
        champion, candidate = (
            Rate(count_above(arm, limit_s).sum() / effect, arm.sum() / effect) for arm in seen.fresh[:, :, DURATIONS]
        )
        expected = min(TAIL, guess(Rate(slow[0].sum(), totals[0].sum())))
        return np.minimum(
            bet_on_rates(champion, candidate, expected, ADDED_SLOW), bet_above(candidate, TAIL, ADDED_SLOW)
        )


def _bound_p99_s(durations: Any) -> float:
    """Return the 99th percentile, or how high it may well be when so few are known."""
    share = TAIL - 2 * math.sqrt(TAIL / durations.sum())
    return find_quantile_s(durations, 1 - max(share, 0.0))
