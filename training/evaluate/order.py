"""Classes in an order: by how many classes the likeliest one is off, and how well it agrees beyond chance."""

import numpy as np
from sklearn.metrics import cohen_kappa_score

from ekiben.training.evaluate.weights import Weights, mean


def score_order(classes: int, labels: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the metrics of positions of classes, (rows,) each.

    `class_mae` is the mean absolute error in classes. `quadratic_kappa` is 1 where all is right and 0 where it is as by
    chance, an error counting by its square (Cohen 1968); where all is one class it is undefined, and left out.
    """
    scores = {"class_mae": mean(np.abs(predicted - labels), weights)}
    if len(np.union1d(labels, predicted)) > 1:
        scores["quadratic_kappa"] = cohen_kappa_score(
            labels, predicted, labels=np.arange(classes), weights="quadratic", sample_weight=weights
        )
    return scores
