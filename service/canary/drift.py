"""The guardrail of what the answers are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ekiben.contract.reference.stability import population_stability_index
from ekiben.service.canary.guardrails import Seen, explain_waiting
from ekiben.service.canary.tally import ANSWERS, measure_design_effect

DRIFTED = 0.1  # a candidate's answers may be that much apart, as PSI, beyond chance: "moderate" begins there
CHANCE_NORMAL = 5.135  # the normal quantile of 1 - 1 / MAX_FORTUNE


@dataclass
class Drift:
    """Answers otherwise than the champion answers callers of the same kind, beyond chance and a margin."""

    name: str = "answers"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0

    def look(self, seen: Seen) -> str:
        answers = seen.total[:, :, ANSWERS]
        self.progress = 0.0
        if waiting := explain_waiting(answers.sum(axis=2)):
            self.now = {"waits for": waiting}
            return ""
        champion, candidate = answers.sum(axis=1)
        effect = measure_design_effect(list(answers))
        moved = population_stability_index(champion / effect, candidate / effect)
        limit = DRIFTED + _find_chance(champion, candidate, effect)
        self.progress, self.since = moved / limit, seen.recent_since
        self.now = {"psi": round(moved, 4), "limit": round(limit, 4)}
        if moved < limit:
            return ""
        excused = f"PSI; up to {limit:.2g} is chance and a margin of {DRIFTED:g}"
        return f"the answers of {{candidate}} and {{champion}} are {moved:.2g} apart ({excused})"


def _find_chance(champion: Any, candidate: Any, effect: float) -> float:
    """Return what PSI stays below, but for one look of MAX_FORTUNE, if the answers are alike.

    The quantile is that of chi-square, as in `ekiben.contract.reference.stability.chance_level`. Callers who differ
    mostly do so in one direction, higher or lower answers: the more they do, the fewer bins are free to make up for it.
    """
    free = max(1, int(np.count_nonzero(champion + candidate)) - 1)
    width = 2 / (9 * (1 + (free - 1) / effect))
    quantile = free * (1 - width + CHANCE_NORMAL * math.sqrt(width)) ** 3
    return float(quantile * effect * (1 / champion.sum() + 1 / candidate.sum()))
