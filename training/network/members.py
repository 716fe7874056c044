"""Chooses the towers whose mean answer is best on validation rows.

Greedily and with replacement: Caruana and others, Ensemble Selection from Libraries of Models (2004).
"""

import numpy as np

from ekiben.contract.schema import Task
from ekiben.training.network.losses import find_evidence, measure_loss

PICKS = 16
BEST = 4  # of all towers, to pick from: no more are packed


def choose_members(
    task: Task, labels: np.ndarray, weights: np.ndarray, answers: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return each tower's share of the mean, (towers,), and that mean's loss, from answers (rows, towers, outputs)."""
    evidence = find_evidence(task, labels, answers)  # (towers, rows)
    alone = measure_loss(task, labels, weights, evidence)
    candidates = np.argsort(alone, kind="stable")[:BEST]
    counts, total = np.zeros(len(evidence)), np.zeros(len(labels))
    for picked in range(1, PICKS + 1):
        losses = measure_loss(task, labels, weights, (total + evidence[candidates]) / picked)
        best = candidates[np.argmin(losses)]
        counts[best] += 1
        total += evidence[best]
    return counts / PICKS, float(losses.min())
