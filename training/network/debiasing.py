"""By how much a value that was learned on another scale is moved, so that it is the mean in the target's units.

e to the mean of logarithms lies near the median, below the mean. As Duan's smearing estimate does (1983), this is made
up for by what rows show that were not fitted to; but as one step on the scale, so that no answer leaves its bounds, and
with each error where it is, since large values may have larger ones.
"""

import numpy as np

from ekiben.training.network.scaling import TargetScale

MAX_SHIFT = 2.0  # standard deviations of the labels
HALVINGS = 40  # of twice that: to the last bit of a float32


def find_shift(
    scale: TargetScale, outputs: np.ndarray, labels: np.ndarray, weights: np.ndarray, by_time: bool
) -> float:
    """Return the shift of outputs with which their mean is that of the labels, all (rows,), in the target's units.

    Outputs and labels are on the scale. Rows that are later than those of training may lie higher or lower as a whole:
    by time only what comes of the scale is made up for.
    """
    if scale.link.scale == "linear":
        return 0.0
    labels, outputs = labels.astype(np.float64), outputs.astype(np.float64)
    drift = float(np.average(labels - outputs, weights=weights)) if by_time else 0.0
    wanted = np.average(scale.restore(labels - drift), weights=weights)
    low, high = -MAX_SHIFT, MAX_SHIFT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = np.average(scale.restore(outputs + middle), weights=weights) < wanted
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
