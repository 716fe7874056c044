"""Two classes: how well the probabilities rank, how honest they are, and how well they decide."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from ekiben.contract.answers import decide
from ekiben.contract.schema import Target
from ekiben.training.evaluate.drawing import Panel, add_legend, new_plot
from ekiben.training.evaluate.probabilities import calibration_error, log_loss, plot_calibration
from ekiben.training.evaluate.text import drawable
from ekiben.training.evaluate.thresholds import plot_thresholds
from ekiben.training.evaluate.weights import Weights, mean

PROMOTION_METRIC = "log_loss"  # a proper score: it rewards calibration as well as ranking
HEADLINE: tuple[str, ...] = ("auc", "log_loss", "calibration_error")
MIN_SLICE_ROWS = 100  # of fewer rows an AUC says little
PANELS: tuple[Panel, ...] = (
    Panel("AUC", {"auc": "AUC"}, (0.5, "chance")),
    Panel("rate", {"base_rate": "observed rate", "mean_probability": "mean prediction"}),
)


def score(target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the metrics of labels, (rows,) of 0 and 1, and probabilities, (rows, 1).

    What is decided follows from the target's threshold; `selection_rate` is the share of rows that are decided for the
    class. Of one class alone there is no ranking and no balance: the metrics of those are left out.
    """
    probabilities, decided = answers[:, 0].astype(np.float64), decide(target, answers) == 1
    both, weighted = _has_both(labels), {"sample_weight": weights}
    scores = {
        "auc": roc_auc_score(labels, probabilities, **weighted) if both else None,
        "log_loss": log_loss(np.where(labels == 1, probabilities, 1 - probabilities), weights),
        "brier": mean((probabilities - labels) ** 2, weights),
        "average_precision": average_precision_score(labels, probabilities, **weighted) if both else None,
        "calibration_error": calibration_error(labels, probabilities, weights),
        "accuracy": mean(decided == labels, weights),
        "balanced_accuracy": balanced_accuracy_score(labels, decided, **weighted) if both else None,
        "f1": f1_score(labels, decided, zero_division=0, **weighted) if both else None,
        "precision": precision_score(labels, decided, **weighted) if decided.any() else None,
        "recall": recall_score(labels, decided, **weighted) if labels.max() else None,
        "selection_rate": mean(decided, weights),
        "cost": None if target.costs is None else mean(_charge(target.costs, labels == 1, decided), weights),
        "base_rate": mean(labels, weights),
        "mean_probability": mean(probabilities, weights),
    }
    return {name: float(value) for name, value in scores.items() if value is not None}


def score_slice(labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the observed and the predicted rate, and the AUC where there is enough to rank."""
    probabilities = answers[:, 0].astype(np.float64)
    ranked = len(labels) >= MIN_SLICE_ROWS and _has_both(labels)
    return {
        "base_rate": mean(labels, weights),
        "mean_probability": mean(probabilities, weights),
        "auc": float(roc_auc_score(labels, probabilities, sample_weight=weights)) if ranked else np.nan,
    }


def plot(target: Target, labels: np.ndarray, answers: np.ndarray) -> dict[str, Figure]:
    """Return the ROC, precision-recall, threshold and calibration plots; of one class alone only the last."""
    probabilities = answers[:, 0].astype(np.float64)
    event = f"{drawable(target.name)} = {drawable(target.classes[-1])}"
    ranking = _plot_ranking(event, labels, probabilities) if _has_both(labels) else {}
    if ranking:
        ranking["decisions"] = plot_thresholds(target, labels, probabilities)
    calibration = plot_calibration(
        f"Calibration: {event}", "predicted probability", "observed rate", labels, probabilities
    )
    return ranking | {"calibration": calibration}


def _charge(costs: tuple[float, float], true: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """Return what each row costs, (rows,)."""
    false_alarm, miss = costs
    return np.asarray(false_alarm * (decided & ~true) + miss * (true & ~decided))


def _plot_ranking(event: str, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Figure]:
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    roc, axes = new_plot(f"ROC: {event}", "false positive rate", "true positive rate")
    axes.plot(false_rate, true_rate, label=f"AUC {roc_auc_score(labels, probabilities):.3f}")
    axes.plot([0, 1], [0, 1], "--", color="grey", label="chance")
    add_legend(roc)
    precision, recall, _ = precision_recall_curve(labels, probabilities, drop_intermediate=True)
    mean_precision, rate = average_precision_score(labels, probabilities), labels.mean()
    precision_recall, axes = new_plot(f"Precision and recall: {event}", "recall", "precision")
    axes.plot(recall, precision, drawstyle="steps-post", label=f"average precision {mean_precision:.3f}")
    axes.axhline(rate, linestyle="--", color="grey", label=f"base rate {rate:.3f}")
    axes.set(ylim=(-0.03, 1.03))
    add_legend(precision_recall)
    return {"roc": roc, "precision_recall": precision_recall}


def _has_both(labels: np.ndarray) -> bool:
    return bool(labels.min() < labels.max())
