"""The metrics of `ekiben.training.evaluate` for many draws at once: some of them for 400 draws in a tenth of a second.

`counts` are (draws, rows): how often a draw has each row. Every function returns (draws,) for each metric, NaN where it
is undefined; of one draw that has every row once they are what `score` returns.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import SMALLEST_PROBABILITY, decide
from ekiben.contract.schema import Target
from ekiben.training.evaluate.multiclass import MIN_CLASSES_FOR_TOP, TOP
from ekiben.training.evaluate.weights import Weights

Floats = NDArray[np.float64]
Drawn = dict[str, Floats]
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae", "class_mae", "cost"})
NEITHER_IS_BETTER = frozenset({"selection_rate"})
CHANCE_ERROR = 1e-9  # of rounding, where all is one class
AT_ONCE = 2**20  # draws × rows, 8 MB
UNBOUNDED = frozenset({"rmse", "mae", "class_mae", "log_loss", "r2", "cost"})  # the others lie between 0 and 1
SIGNED = frozenset({"r2", "quadratic_kappa"})  # at most 1, and below 0 where chance is better


def score_draws(
    target: Target, labels: np.ndarray, answers: np.ndarray, counts: NDArray[np.float32], weights: Weights = None
) -> Drawn:
    """Return the metrics of labels, (rows,), and answers, (rows, outputs), in each draw, by the rows' weights."""
    score = {"binary": _score_binary, "multiclass": _score_classes, "regression": _score_numbers}[target.task]
    at_once = max(1, AT_ONCE // max(1, len(labels)))
    each = 1.0 if weights is None else weights
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN is what is undefined
        parts = [
            score(target, labels, answers, counts[first : first + at_once].astype(np.float64) * each)
            for first in range(0, len(counts), at_once)
        ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def score_once(target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the same metrics of every row once."""
    scored = score_draws(target, labels, answers, np.ones((1, len(labels)), np.float32), weights)
    return {name: float(values[0]) for name, values in scored.items()}


def lose(target: Target, labels: np.ndarray, answers: np.ndarray) -> Floats:
    """Return the loss of each row, (rows,): its log loss, or how far off a number is."""
    if target.task == "regression":
        return np.abs(answers[:, 0].astype(np.float64) - labels)
    given = answers[np.arange(len(labels)), labels.astype(np.intp)] if target.task == "multiclass" else None
    if given is None:
        given = np.where(labels == 1, answers[:, 0].astype(np.float64), 1 - answers[:, 0].astype(np.float64))
    return np.log(1 / np.clip(given.astype(np.float64), SMALLEST_PROBABILITY, 1))


def _means(counts: Floats, columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Floats]]:
    rows = counts.sum(axis=1)
    for name, values in columns.items():
        yield name, counts @ values.astype(np.float64) / rows


def _score_binary(target: Target, labels: np.ndarray, answers: np.ndarray, counts: Floats) -> Drawn:
    probabilities, true = answers[:, 0].astype(np.float64), labels == 1
    decided = decide(target, answers) == 1
    columns = {
        "log_loss": lose(target, labels, answers), "brier": (probabilities - true) ** 2, "accuracy": decided == true,
        "selection_rate": decided,
    }  # fmt: skip
    if target.costs:
        columns["cost"] = target.costs[0] * (decided & ~true) + target.costs[1] * (true & ~decided)
    hits, trues, found = (counts @ these.astype(np.float64) for these in (true & decided, true, decided))
    falses = counts.sum(axis=1) - trues
    both = np.where((trues > 0) & (falses > 0), 1.0, np.nan)
    rates = {
        "balanced_accuracy": both * (hits / trues + 1 - (found - hits) / falses) / 2,
        "f1": both * 2 * hits / (trues + found),
        "precision": hits / found,
        "recall": hits / trues,
    }
    return {**_rank(probabilities, true, counts), **dict(_means(counts, columns)), **rates}


def _rank(probabilities: np.ndarray, true: np.ndarray, counts: Floats) -> Drawn:
    """Return how well the rows are ranked; rows of the same probability stand side by side and count as one."""
    order = np.argsort(-probabilities, kind="stable")
    first = np.flatnonzero(np.diff(probabilities[order], prepend=np.inf))
    trues = np.add.reduceat(counts[:, order] * true[order], first, axis=1)  # (draws, probabilities), from the top
    falses = np.add.reduceat(counts[:, order] * ~true[order], first, axis=1)
    above, false_above = trues.cumsum(axis=1), falses.cumsum(axis=1)
    pairs = above[:, -1] * false_above[:, -1]
    ranked = (falses * (above - trues / 2)).sum(axis=1)
    seen = above + false_above
    precision = np.divide(above, seen, out=np.zeros_like(above), where=seen > 0)
    recalled = (trues * precision).sum(axis=1) / above[:, -1]
    return {"auc": ranked / pairs, "average_precision": np.where(pairs > 0, recalled, np.nan)}


def _score_classes(target: Target, labels: np.ndarray, answers: np.ndarray, counts: Floats) -> Drawn:
    classes, decided = np.arange(answers.shape[1]), answers.argmax(axis=1)
    right = decided == labels
    given = answers[np.arange(len(labels)), labels][:, None]
    earlier = classes < labels[:, None]
    columns = {"accuracy": right, "log_loss": lose(target, labels, answers)}
    if len(classes) >= MIN_CLASSES_FOR_TOP:
        columns[f"top_{TOP}_accuracy"] = (
            np.count_nonzero((answers > given) | ((answers == given) & earlier), axis=1) < TOP
        )
    true = (labels[:, None] == classes).astype(np.float64)
    trues, hits = counts @ true, counts @ (true * right[:, None])
    found = counts @ (decided[:, None] == classes).astype(np.float64)
    recall = np.where(trues > 0, hits / trues, np.nan)
    f1 = np.where(trues + found > 0, 2 * hits / (trues + found), np.nan)
    rates = {"balanced_accuracy": _mean_known(recall), "macro_f1": _mean_known(f1)}
    order = _score_order(labels, decided, counts) if target.ordered else {}
    return {**dict(_means(counts, columns)), **rates, **order}


def _score_order(labels: np.ndarray, decided: np.ndarray, counts: Floats) -> Drawn:
    """Return how far off classes are: the mean square beside that of pairs drawn by chance from both is the kappa."""
    off = decided - labels
    columns = {"class_mae": np.abs(off), "square": off**2, "true": labels, "said": decided}
    columns |= {"true_square": labels**2, "said_square": decided**2}
    means = dict(_means(counts, columns))
    chance = means["true_square"] + means["said_square"] - 2 * means["true"] * means["said"]
    kappa = 1 - means["square"] / np.where(chance > CHANCE_ERROR, chance, np.nan)
    return {"class_mae": means["class_mae"], "quadratic_kappa": kappa}


def _mean_known(values: Floats) -> Floats:
    """Return the mean over the classes that have a value, (draws,)."""
    return np.nansum(values, axis=1) / np.isfinite(values).sum(axis=1)


def _score_numbers(target: Target, labels: np.ndarray, answers: np.ndarray, counts: Floats) -> Drawn:
    errors = answers[:, 0].astype(np.float64) - labels
    around = labels - labels.mean(dtype=np.float64)
    columns = {"rmse": errors**2, "mae": np.abs(errors), "mean": around, "spread": around**2}
    if answers.shape[1] > 1:
        columns["interval_coverage"] = (answers[:, 1] <= labels) & (labels <= answers[:, 2])
    means = dict(_means(counts, columns))
    square, spread = means["rmse"], means.pop("spread") - means.pop("mean") ** 2
    r2 = np.where(spread > 1e-12 * np.square(around).mean(), 1 - square / spread, np.nan)
    return {"r2": r2, **means, "rmse": np.sqrt(square)}
