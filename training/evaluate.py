"""How good the answers are: metrics, slices and plots on rows the network never saw."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

CALIBRATION_BINS = 10
MIN_SLICE_ROWS = 100  # of fewer rows an AUC says little


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics of a binary prediction; calibration_error is the mean gap over equal-count bins."""
    observed, predicted = calibration_curve(labels, probabilities, n_bins=CALIBRATION_BINS, strategy="quantile")
    return {
        "auc": float(roc_auc_score(labels, probabilities)),
        "log_loss": float(log_loss(labels, probabilities)),
        "brier": float(brier_score_loss(labels, probabilities)),
        "average_precision": float(average_precision_score(labels, probabilities)),
        "calibration_error": float(np.abs(observed - predicted).mean()),
        "base_rate": float(labels.mean()),
        "mean_probability": float(probabilities.mean()),
    }


def score_slices(labels: np.ndarray, probabilities: np.ndarray, keys: pd.Series) -> pd.DataFrame:
    """Return rows, base rate, mean probability and AUC for each value of `keys`, largest first."""
    rows = []
    for value in keys.value_counts().index:
        here = (keys == value).to_numpy()
        both = here.sum() >= MIN_SLICE_ROWS and 0 < labels[here].mean() < 1
        rows.append(
            {
                str(keys.name): value,
                "rows": int(here.sum()),
                "base_rate": float(labels[here].mean()),
                "mean_probability": float(probabilities[here].mean()),
                "auc": float(roc_auc_score(labels[here], probabilities[here])) if both else np.nan,
            }
        )
    return pd.DataFrame(rows)


def plot_curves(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Figure]:
    """Return the ROC, precision-recall and calibration plots."""
    scores = score(labels, probabilities)
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=CALIBRATION_BINS, strategy="quantile")
    top = max(observed.max(), predicted.max()) * 1.05
    plots = {}
    plots["roc"], axes = _figure("ROC", "false positive rate", "true positive rate")
    axes.plot(false_rate, true_rate, label=f"AUC {scores['auc']:.3f}")
    axes.plot([0, 1], [0, 1], "--", color="grey", label="chance")
    plots["precision_recall"], axes = _figure("Precision and recall", "recall", "precision")
    axes.plot(recall, precision, label=f"average precision {scores['average_precision']:.3f}")
    axes.axhline(scores["base_rate"], linestyle="--", color="grey", label=f"base rate {scores['base_rate']:.3f}")
    plots["calibration"], axes = _figure("Calibration", "predicted probability", "observed rate")
    axes.plot(predicted, observed, "o-", label=f"mean gap {scores['calibration_error']:.3f}")
    axes.plot([0, top], [0, top], "--", color="grey", label="perfect")
    for plot in plots.values():
        plot.axes[0].legend(loc="best")
    return plots


def plot_slices(name: str, slices: pd.DataFrame) -> Figure:
    """Return a bar chart of each slice's AUC over its observed and predicted rate."""
    figure = Figure(figsize=(max(6, 0.5 * len(slices)), 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    places = np.arange(len(slices))
    upper.bar(places, slices["auc"])
    upper.set(ylabel="AUC", ylim=(0.5, max(0.8, slices["auc"].max() * 1.05)), title=f"Test rows by {name}")
    lower.bar(places - 0.2, slices["base_rate"], width=0.4, label="observed rate")
    lower.bar(places + 0.2, slices["mean_probability"], width=0.4, label="mean prediction")
    lower.set_xticks(places, [f"{value}\n({rows})" for value, rows in zip(slices[name], slices["rows"], strict=True)])
    lower.set(ylabel="rate", xlabel=f"{name} (rows)")
    lower.margins(y=0.25)  # room for the legend
    lower.legend(loc="upper right", ncols=2)
    return figure


def format_scores(scores: Mapping[str, float]) -> str:
    """Return the metrics as the terminal shows them."""
    return "\n".join(f"  {name:<18} {value:.4f}" for name, value in scores.items())


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes
