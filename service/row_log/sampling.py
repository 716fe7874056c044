"""Chooses the rows that are kept: each with the same chance, whatever request it came in.

To draw a number for every row would cost more than to keep a tenth of them. So what is drawn is how many rows are
passed over before the next: these gaps have a geometric distribution, and a request that lies in one costs a
subtraction (Fan, Muller and Rezucha's skipping, 1962, which Vitter made known).
"""

import math
import random
from collections.abc import Sequence

MAX_GAP = 2**53  # where a share is so small that a gap has no end


class Sampler:
    """Picks rows of one request after the other; belongs to one thread."""

    def __init__(self, share: float) -> None:
        """`share`: of the rows that are picked, above 0 and up to 1."""
        self._log_missed = math.log1p(-share) if share < 1 else -math.inf
        self._random = random.Random()
        self._gap = self._draw()  # rows that are passed over before the next

    def pick(self, rows: int) -> Sequence[int]:
        """Return which of the next so many rows are picked."""
        if self._gap >= rows:
            self._gap -= rows
            return ()
        if self._log_missed == -math.inf:
            return range(rows)
        picked = []
        index = self._gap
        while index < rows:
            picked.append(index)
            index += 1 + self._draw()
        self._gap = index - rows
        return picked

    def _draw(self) -> int:
        return int(min(math.log(1 - self._random.random()) / self._log_missed, MAX_GAP))
