"""The guardrail of live loss: are the candidate's answers worse, as the labels that come for them show?

The labels of two versions are of different callers, so there are no pairs. Each version's mean loss has a confidence
sequence: an interval that is right at all times at once, however often somebody looks. The candidate is worse once its
whole interval lies above the champion's. I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas,
Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52(6), 2024.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers, score_classes
from ekiben.contract.comparison.losses import MAX_BOUND
from ekiben.contract.schema import Target

FALSE_STEP_BACKS = 0.0025  # of honest candidates, at each share, whenever one looks
SHARPEST_LABELS = 1000  # the interval is narrowest there
MIN_LABELS = 100  # of each version: the interval holds once means are about normal
MIN_PROBABILITY = 1e-4  # a class that was given less counts as so much: one label must not decide
Losses = NDArray[np.float64]  # (ARMS, labels + sum + sum of squares)


@dataclass
class Loss:
    """Has a greater mean loss."""

    name: str = "loss"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0

    def look(self, losses: Losses, since: float) -> str:
        """Return what is wrong with the candidate; the losses are of answers given since then, at one share."""
        self.since, self.progress = since, 0.0
        fewest = int(losses[:, 0].min())
        if fewest < MIN_LABELS:
            self.now = {"waits for": f"{MIN_LABELS} labels of each version's answers, there are {fewest}"}
            return ""
        (champion, radius), (candidate, other_radius) = map(estimate_mean, losses)
        difference, uncertainty = candidate - champion, radius + other_radius
        self.now = {
            "champion": round(champion, 5), "candidate": round(candidate, 5), "labels": fewest,
            "difference": round(difference, 5), "uncertainty": round(uncertainty, 5),
        }  # fmt: skip
        self.progress = max(0.0, difference / uncertainty) if uncertainty else 0.0
        if not difference > uncertainty:
            return ""
        return (
            f"the mean loss of {{candidate}} is {candidate:.4g}, that of {{champion}} {champion:.4g}, "
            f"{difference - uncertainty:.2g} more at least"
        )


def estimate_mean(totals: NDArray[np.float64]) -> tuple[float, float]:
    """Return a mean, and how far it may be off at any time, but for half of FALSE_STEP_BACKS."""
    count, total, squares = totals.tolist()
    mean = total / count
    variance = max(0.0, squares / count - mean**2) * count / max(1.0, count - 1)
    level = FALSE_STEP_BACKS / 2
    tuning = (-2 * math.log(level) + math.log(-2 * math.log(level)) + 1) / SHARPEST_LABELS
    grown = count * tuning + 1
    # One-sided, as the other side of neither interval matters: twice the level.
    width = 2 * grown / (count**2 * tuning) * math.log(math.sqrt(grown) / (2 * level) + 1)
    return mean, math.sqrt(variance * width)


def measure_losses(target: Target, answers: Answers, labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the loss of each answer: the logarithm, or of a number the absolute error by the target's spread.

    `labels`: the position of the class among the target's, or the number, (rows,). Both losses are cut, so that one
    label doesn't decide.
    """
    if target.task == "regression":
        errors: NDArray[np.float64] = np.abs(answers[:, 0].astype(np.float64) - labels) / target.scale
        return np.minimum(errors, MAX_BOUND)
    given = score_classes(target, answers)[np.arange(len(labels)), labels.astype(np.intp)]
    return np.asarray(-np.log(np.maximum(given.astype(np.float64), MIN_PROBABILITY)))
