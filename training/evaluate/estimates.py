"""What the scores are likely to be while no label is known: estimates from calibrated probabilities.

If of the rows answered with 0.7 seven in ten turn out true, a decision for such a row is right with probability 0.7.
Summed over rows these probabilities are the expected numbers of right and wrong decisions, and from them follow the
expected accuracy, log loss and AUC without any label (CBPE, "confidence-based performance estimation", of NannyML). It
holds as far as the calibration does. Features may move; but a change in what follows from them can't be seen without
labels. So an estimate is no reason to believe that all is well, and its error is measured wherever labels came.

The calibration is that of training's test rows: one scale of the log-odds, and for two classes a shift (Platt 1999; for
more classes temperature scaling, Guo et al. 2017). It leaves the order of the answers alone.
"""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize

from ekiben.contract.answers import SMALLEST_PROBABILITY, decide
from ekiben.contract.schema import Target
from ekiben.training.evaluate.weights import Weights

Calibration = tuple[float, float]  # the scale of the log-odds, and their shift
UNCHANGED: Calibration = (1.0, 0.0)
MAX_CELLS = 1 << 23  # rows × outputs that are looked at, in some 300 MB; chance is then below 0.1%
TINY = float(np.finfo(float).tiny)  # in place of a divisor of 0
PRIOR = 1e-4  # for no change: of labels that are all alike the shift would have no end


def learn_calibration(target: Target, labels: np.ndarray, answers: np.ndarray) -> Calibration:
    """Return the calibration of probabilities, (rows, outputs), under which labels, (rows,), are likeliest."""
    if target.task == "regression":
        return UNCHANGED
    rows = _spread(answers)
    answers, truth = answers[rows], labels[rows].astype(int)

    def loss(calibration: np.ndarray) -> float:
        given = _give_classes(target, answers, (calibration[0], calibration[1]))[np.arange(len(truth)), truth]
        change = calibration - UNCHANGED
        return float(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1)).mean() + PRIOR * change @ change)

    found = minimize(loss, UNCHANGED, method="BFGS")
    scale, shift = found.x
    return (float(scale), float(shift) if target.task == "binary" else 0.0) if scale > 0 else UNCHANGED


def estimate(
    target: Target, answers: np.ndarray, calibration: Calibration = UNCHANGED, weights: Weights = None
) -> dict[str, float]:
    """Return the metrics that are to be expected of answers, (rows, outputs); none for a regression or no rows."""
    if target.task == "regression" or not len(answers):
        return {}
    rows = _spread(answers)
    answers, weights = answers[rows], None if weights is None else weights[rows]
    likely = _give_classes(target, answers, calibration)  # (rows, classes), as is to be expected
    said = _give_classes(target, answers, UNCHANGED)  # as the model has it
    weight = np.ones(len(answers)) if weights is None else weights
    decided = decide(target, answers)
    loss = (likely * np.log(1 / np.clip(said, SMALLEST_PROBABILITY, 1))).sum(axis=1)
    confusion = np.zeros((likely.shape[1], likely.shape[1]))  # (true, decided), in expected rows
    np.add.at(confusion.T, decided, likely * weight[:, None])
    estimated = {"log_loss": float(np.average(loss, weights=weight)), **_score_confusion(target, confusion)}
    if target.task == "binary":
        brier = likely[:, 1] * said[:, 0] ** 2 + likely[:, 0] * said[:, 1] ** 2
        return {
            "auc": _expect_auc(said[:, 1], likely[:, 1], weight),
            "brier": float(np.average(brier, weights=weight)),
            "base_rate": float(np.average(likely[:, 1], weights=weight)),
            **estimated,
        }
    aucs = [_expect_auc(said[:, index], likely[:, index], weight) for index in range(said.shape[1])]
    return {"macro_auc": float(np.mean(aucs)), **estimated}


def _spread(answers: np.ndarray) -> slice:
    """Return all rows, or so many spread evenly over them that they have MAX_CELLS answers."""
    return slice(None, None, 1 + answers.size // MAX_CELLS)


def _give_classes(target: Target, answers: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return the probability of each class, (rows, classes) float64, under a calibration."""
    exact = answers.astype(np.float64)
    given = np.concatenate([1 - exact, exact], axis=1) if target.task == "binary" else exact
    if calibration == UNCHANGED:
        return given
    scale, shift = calibration
    scores = scale * np.log(np.clip(given, SMALLEST_PROBABILITY, 1))
    if target.task == "binary":
        scores[:, 1] += shift
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _score_confusion(target: Target, confusion: np.ndarray) -> Mapping[str, float]:
    """Return what follows from the rows of each class, (true, decided), by what was decided."""
    right, true, decided = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * right / np.maximum(true + decided, TINY)
    scores = {
        "accuracy": float(right.sum() / confusion.sum()),
        "balanced_accuracy": float(np.mean(right / np.maximum(true, TINY))),
    }
    if target.task != "binary":
        return {**scores, "macro_f1": float(f1.mean())}
    precision = {"precision": float(right[1] / decided[1])} if decided[1] else {}
    rates = {"recall": float(right[1] / max(true[1], TINY)), "selection_rate": float(decided[1] / confusion.sum())}
    if target.costs is not None:
        false_alarm, miss = target.costs
        rates["cost"] = float((false_alarm * confusion[0, 1] + miss * confusion[1, 0]) / confusion.sum())
    return {**scores, "f1": float(f1[1]), **precision, **rates}


def _expect_auc(scores: np.ndarray, likely: np.ndarray, weights: np.ndarray) -> float:
    """Return the expected share of pairs, one row true and one not, that the scores, (rows,), rank right.

    Each row is true as far as it is likely, and not true for the rest; a row makes no pair with itself.
    """
    _, place = np.unique(scores, return_inverse=True)
    true, false = weights * likely, weights * (1 - likely)
    true_at, false_at = np.bincount(place, true), np.bincount(place, false)
    below = np.cumsum(false_at) - false_at
    itself = float((true * false).sum())
    pairs = float(true.sum() * false.sum()) - itself
    ranked = float((true_at * (below + false_at / 2)).sum()) - itself / 2
    return ranked / pairs if pairs > 0 else 0.5
