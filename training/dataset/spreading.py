"""Numbers that are spread evenly over any stretch of them."""

import numpy as np
from numpy.typing import NDArray

GOLDEN_RATIO = (5**0.5 - 1) / 2


def spread(count: int) -> NDArray[np.float64]:
    """Return that many numbers from 0 to 1, steps of the golden ratio: of those next to each other none are alike."""
    return np.asarray(np.arange(count) * GOLDEN_RATIO % 1)
