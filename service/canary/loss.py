"""The guardrail of live loss: are the candidate's answers worse, as the labels that come for them show?

The labels of two versions are of different callers, so there are no pairs. Each version's mean loss has a confidence
sequence: an interval that is right at all times at once, however often somebody looks. The candidate is worse once its
whole interval lies above the champion's. I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas,
Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52(6), 2024.

Rows of a request may be alike, so a request counts once, with the mean loss of its labelled rows. Callers stay with
their version, so a thousand labels from ten callers say less than from a thousand. How much less, groups of callers
show: from how far apart their means lie follows the variance of a version's mean, whatever its callers are (that of
cluster samples, linearized). Counts are divided by how many times it is what as many callers would have: the design
effect, as `p99` and `answers` have one.
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
from ekiben.service.canary.guardrails import explain_waiting

FALSE_STEP_BACKS = 0.0025  # of honest candidates, at each share, whenever one looks
SHARPEST_LABELS = 1000  # the interval is narrowest there
MIN_LABELLED = 100  # requests to each version: the interval holds once means are about normal
MIN_PROBABILITY = 1e-4  # a class that was given less counts as so much: one label must not decide
Losses = NDArray[np.float64]  # (ARMS, GROUPS, requests with labels + sum of losses + sum of squares)


@dataclass
class Loss:
    """Has a greater mean loss."""

    why_no_labels: str = ""  # if none come
    name: str = "loss"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0

    def look(self, losses: Losses, since: float) -> str:
        """Return what is wrong with the candidate; the losses are of answers given since then, at one share."""
        self.since, self.progress = since, 0.0
        requests = losses[:, :, 0]
        if waiting := explain_waiting(requests, MIN_LABELLED, "requests with labels"):
            self.now = {"waits for": self.why_no_labels or waiting}
            return ""
        means = map(estimate_mean, losses.sum(axis=1), measure_effects(losses))
        (champion, radius), (candidate, other_radius) = means
        difference, uncertainty = candidate - champion, radius + other_radius
        fewest = int(requests.sum(axis=1).min())
        self.now = {
            "champion": round(champion, 5), "candidate": round(candidate, 5), "labelled": fewest,
            "difference": round(difference, 5), "uncertainty": round(uncertainty, 5),
        }  # fmt: skip
        self.progress = max(0.0, difference / uncertainty) if uncertainty else 0.0
        if not difference > uncertainty:
            return ""
        return (
            f"the mean loss of {{candidate}} is {candidate:.4g}, that of {{champion}} {champion:.4g}, "
            f"{difference - uncertainty:.2g} more at least"
        )


def measure_effects(losses: Losses) -> list[float]:
    """Return each version's design effect, at least 1: with few callers the other version's tells as much of it."""
    own = [_measure_effect(arm) for arm in losses]
    return [max(1.0, one, sum(own) / len(own)) for one in own]


def _measure_effect(groups: NDArray[np.float64]) -> float:
    counts, totals, _ = groups.T
    count, mean, variance = _describe(groups.sum(axis=0))
    present = int((counts > 0).sum())
    if variance <= 0 or present < 2:
        return 1.0
    apart = present / (present - 1) * float(((totals - mean * counts) ** 2).sum())
    return apart / (count * variance)


def _describe(totals: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return how many losses there are, their mean and their variance."""
    count, total, squares = totals.tolist()
    mean = total / count
    return count, mean, max(0.0, squares / count - mean**2) * count / max(1.0, count - 1)


def estimate_mean(totals: NDArray[np.float64], effect: float = 1.0) -> tuple[float, float]:
    """Return a mean, and how far it may be off at any time, but for half of FALSE_STEP_BACKS."""
    count, mean, variance = _describe(totals)
    count /= effect
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
