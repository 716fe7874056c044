"""Chooses what is kept: rows, or requests, each with the same chance.

To draw a number for each would cost as much as to keep a tenth of them. So what is drawn is how many are passed over
before the next: these gaps have a geometric distribution, and what lies in one costs a subtraction (Fan, Muller and
Rezucha's skipping, 1962, which Vitter made known).
"""

import math
import random
from collections.abc import Sequence

MAX_GAP = 2**53  # where a share is so small that a gap has no end


class Sampler:
    """Picks from one lot after the other; belongs to one thread."""

    def __init__(self, share: float) -> None:
        """`share`: of all that is picked, above 0 and up to 1."""
        self._log_missed = math.log1p(-share) if share < 1 else -math.inf
        self._random = random.Random()
        self._gap = self._draw()  # that are passed over before the next

    def pick(self, count: int) -> Sequence[int]:
        """Return which of the next so many are picked."""
        if self._gap >= count:
            self._gap -= count
            return ()
        if self._log_missed == -math.inf:
            return range(count)
        picked = []
        index = self._gap
        while index < count:
            picked.append(index)
            index += 1 + self._draw()
        self._gap = index - count
        return picked

    def pick_one(self) -> bool:
        """Return whether the next one is picked: a quarter of the time of `pick`."""
        if self._gap:
            self._gap -= 1
            return False
        self._gap = self._draw()
        return True

    def _draw(self) -> int:
        return int(min(math.log(1 - self._random.random()) / self._log_missed, MAX_GAP))
