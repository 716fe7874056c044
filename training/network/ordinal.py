"""Classes in an order: a tower gives a score and the gaps between cut points, which rise, and so cannot cross.

That a row is above the k-th class has the probability sigmoid(score − cut_k): McCullagh, Regression Models for Ordinal
Data (1980). There the cut points are the same for all rows; here so are only those of an untrained tower.
"""

from typing import Any

import keras
import numpy as np


def find_start(rates: np.ndarray) -> np.ndarray:
    """Return the outputs, (classes − 1,), under which the classes have these rates, (classes,), all above 0."""
    above = 1 - rates.cumsum()[:-1] / rates.sum()
    logits = np.log(above / (1 - above))
    return np.concatenate([logits[:1], np.log(np.expm1(-np.diff(logits)))])


def give_probabilities(outputs: Any) -> Any:
    """Return each class's probability, (…, classes), from a score and its gaps, (…, classes − 1).

    A class's is the difference of two sigmoids, written as a product: sigmoid(a) − sigmoid(b) is sigmoid(a) ×
    sigmoid(−b) × (1 − exp(b − a)), where of a gap softplus(g) the last is sigmoid(g). Nothing cancels, nothing is < 0.
    """
    logits, gaps = _accumulate(outputs)
    above, below = keras.ops.sigmoid(logits), keras.ops.sigmoid(-logits)
    between = above[..., :-1] * below[..., 1:] * keras.ops.sigmoid(gaps)
    return keras.ops.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)


def give_log_probabilities(outputs: Any) -> Any:
    """Return the logarithms of `give_probabilities`: logits of which softmax makes the probabilities."""
    logits, gaps = _accumulate(outputs)
    above, below = keras.ops.log_sigmoid(logits), keras.ops.log_sigmoid(-logits)
    between = above[..., :-1] + below[..., 1:] + keras.ops.log_sigmoid(gaps)
    return keras.ops.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)


def _accumulate(outputs: Any) -> tuple[Any, Any]:
    """Return the logits of being above each class but the last, (…, classes − 1), which fall, and the gaps."""
    gaps = outputs[..., 1:]
    cuts = outputs.shape[-1]
    before = np.triu(np.ones((cuts - 1, cuts), np.float32), 1)  # each cut point lies above all before
    return outputs[..., :1] - keras.ops.matmul(keras.ops.softplus(gaps), before), gaps
