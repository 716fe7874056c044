"""Three classes and more: how often the likeliest is right, for each of them, and how honest its probability is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from ekiben.contract.schema import Target
from ekiben.training.evaluate.drawing import Panel, plot_rows
from ekiben.training.evaluate.order import score_order
from ekiben.training.evaluate.probabilities import calibration_error, log_loss, plot_calibration
from ekiben.training.evaluate.text import drawable
from ekiben.training.evaluate.weights import Weights, mean

PROMOTION_METRIC = "log_loss"  # a proper score: it rewards every probability, not the likeliest class alone
HEADLINE: tuple[str, ...] = ("accuracy", "macro_f1", "log_loss")
MAX_DRAWN = 30  # classes
TOP = 3
MIN_CLASSES_FOR_TOP = 6  # of fewer half of them are among the top
PANELS: tuple[Panel, ...] = (
    Panel("log loss", {"log_loss": "log loss"}),
    Panel("rate", {"accuracy": "right answers", "mean_confidence": "mean probability"}),
)


def score(target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the metrics of labels, (rows,) positions of classes, and probabilities, (rows, classes).

    `balanced_accuracy` is over the classes that have rows, `macro_f1` over those and the ones
    answered. `macro_auc`, the mean over each class against the rest, needs rows of all of them.
    Of `ordered` classes it also is told how far off the likeliest is.
    """
    classes = answers.shape[1]
    indices = _rank_truth(labels, answers)
    predicted, confidence = answers.argmax(axis=1), answers.max(axis=1).astype(np.float64)
    _, recall, f1, rows = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(classes), zero_division=0, sample_weight=weights
    )
    answered = np.bincount(predicted, minlength=classes) > 0
    scores = {
        "accuracy": mean(indices == 0, weights),
        "balanced_accuracy": recall[rows > 0].mean(),
        "macro_f1": f1[(rows > 0) | answered].mean(),
        "log_loss": log_loss(_given_to_truth(labels, answers), weights),
        f"top_{TOP}_accuracy": mean(indices < TOP, weights) if classes >= MIN_CLASSES_FOR_TOP else None,
        "macro_auc": _macro_auc(labels, answers, weights) if (rows > 0).all() else None,
        "calibration_error": calibration_error(indices == 0, confidence, weights),
        "mean_confidence": mean(confidence, weights),
        "largest_class_rate": rows.max() / rows.sum(),
        **(score_order(classes, labels, predicted, weights) if target.ordered else {}),
    }
    return {name: float(value) for name, value in scores.items() if value is not None}


def score_slice(labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return how often the likeliest class is right and how likely it was said to be, and the log loss."""
    return {
        "accuracy": mean(answers.argmax(axis=1) == labels, weights),
        "mean_confidence": mean(answers.max(axis=1).astype(np.float64), weights),
        "log_loss": log_loss(_given_to_truth(labels, answers), weights),
    }


def plot(target: Target, labels: np.ndarray, answers: np.ndarray) -> dict[str, Figure]:
    """Return the confusion matrix, each class's precision and recall, and the calibration of the likeliest class."""
    predicted = answers.argmax(axis=1)
    calibration = plot_calibration(
        f"Calibration of the likeliest {drawable(target.name)}",
        "predicted probability of the likeliest class",
        "share of rows where it is right",
        predicted == labels,
        answers.max(axis=1).astype(np.float64),
    )
    return {
        "confusion": _plot_confusion(target, labels, predicted),
        "classes": _plot_classes(target, labels, predicted),
        "calibration": calibration,
    }


def _rank_truth(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return how many classes were found likelier than the true one, (rows,); of equal ones the first is."""
    given = _given_to_truth(labels, answers)[:, None]
    earlier = np.arange(answers.shape[1]) < labels[:, None]
    return np.count_nonzero((answers > given) | ((answers == given) & earlier), axis=1)


def _given_to_truth(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return answers[np.arange(len(labels)), labels]


def _macro_auc(labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> float:
    """Return the mean AUC of each class against the rest; scikit-learn's takes half a minute for 1,000 classes.

    An AUC is the share of pairs, one row of the class and one of the rest, that are ranked right
    (Mann and Whitney 1947); a tie is half right.
    """
    if weights is not None:
        return float(np.mean([roc_auc_score(labels == i, a, sample_weight=weights) for i, a in enumerate(answers.T)]))
    aucs = []
    for index, rows in enumerate(np.bincount(labels, minlength=answers.shape[1])):
        column, own = np.sort(answers[:, index]), answers[labels == index, index]
        below = (np.searchsorted(column, own, "left") + np.searchsorted(column, own, "right")) / 2
        aucs.append((below.sum() - rows**2 / 2) / (rows * (len(labels) - rows)))
    return float(np.mean(aucs))


def _most_frequent(target: Target, labels: np.ndarray) -> np.ndarray:
    """Return the positions of up to MAX_DRAWN classes, the one with the most rows first."""
    rows = np.bincount(labels, minlength=len(target.classes))
    return np.argsort(-rows, kind="stable")[:MAX_DRAWN]


def _title(title: str, target: Target) -> str:
    classes = len(target.classes)
    shown = f", the {MAX_DRAWN} most frequent of {classes:,} classes" if classes > MAX_DRAWN else ""
    return f"{title}: {drawable(target.name)}{shown}"


def _plot_confusion(target: Target, labels: np.ndarray, predicted: np.ndarray) -> Figure:
    """Return the rows of each true class by predicted class, coloured by their share; rare classes are pooled."""
    classes = len(target.classes)
    shown = np.sort(_most_frequent(target, labels))
    names = [drawable(target.classes[index]) for index in shown]
    if classes > len(shown):
        names.append(f"{classes - len(shown):,} others")
    cells = len(names)
    cell_of = np.full(classes, cells - 1)
    cell_of[shown] = np.arange(len(shown))
    counts = np.bincount(cell_of[labels] * cells + cell_of[predicted], minlength=cells**2).reshape(cells, cells)
    return draw_matrix(_title("Confusion matrix", target), names, counts)


def draw_matrix(title: str, names: list[str], counts: np.ndarray) -> Figure:
    """Return counts, (true, predicted), as a matrix coloured by each one's share of its row."""
    cells = len(names)
    side = max(4.0, 0.45 * cells)
    figure = Figure(figsize=(side + 2.5, side + 1.5), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        shown = f"{counts[row, column]:,}" if counts[row, column] < 10_000 else f"{counts[row, column] / 1000:,.0f}k"
        axes.text(column, row, shown, ha="center", va="center", color=colour, fontsize=7 if cells > 12 else 9)
    upright = max(map(len, names)) * 0.09 < side / cells
    axes.set_xticks(range(cells), names, rotation=0 if upright else 90)
    axes.set_yticks(range(cells), names)
    axes.set(title=title, xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class's rows")
    return figure


def _plot_classes(target: Target, labels: np.ndarray, predicted: np.ndarray) -> Figure:
    shown = _most_frequent(target, labels)
    precision, recall, _, rows = precision_recall_fscore_support(labels, predicted, labels=shown, zero_division=np.nan)
    table = pd.DataFrame(
        {
            "value": pd.Series([str(target.classes[index]) for index in shown], dtype=object),
            "rows": rows,
            "precision": precision,
            "recall": recall,
        }
    )
    panel = Panel("rate", {"precision": "precision", "recall": "recall"}, limits=(-0.05, 1.05))
    return plot_rows(_title("Precision and recall", target), table, (panel,))
