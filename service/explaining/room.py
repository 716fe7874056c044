"""How many rows explanations may cost together: one to explain is some hundreds for the engine.

So it is these that are counted, and a request that can't be answered is rejected before anything is spent on it: with
413 if it alone is too large, 504 if it alone takes too long, and 429 if it is others that it would wait for.
"""

import math
from collections.abc import Callable

from ekiben.service.errors import BadRequest, DeadlineExceeded, Overloaded


class Room:
    """Counts the rows of the first rounds that are still to be computed; belongs to one event loop."""

    def __init__(self, cost: int, max_rows: int, predict_s: Callable[[int], float]) -> None:
        """`cost`: rows for the engine of one to explain; `predict_s` returns the seconds that such rows take."""
        self.waiting_rows = 0
        self._cost = cost
        self._most = max(1, max_rows // cost)  # one row can be explained, however many features it has
        self._predict_s = predict_s

    def check(self, rows: int) -> None:
        """Raise BadRequest if that many rows are too many for one request."""
        if rows > self._most:
            sentence = f"{rows} rows are more than {self._most}, each of which costs {self._cost} to explain"
            raise BadRequest(413, f"{sentence}: send them in several requests")

    def take(self, rows: int, left_s: float) -> None:
        """Make room for rows to explain; `give` must follow for each of them.

        Raises Overloaded if there is none, or others would make them late; DeadlineExceeded if they are late alone.
        """
        own = rows * self._cost
        if self._predict_s(own) > left_s:
            raise DeadlineExceeded
        wait_s = self._predict_s(self.waiting_rows + own)
        if self.waiting_rows and (self.waiting_rows + own > self._most * self._cost or wait_s > left_s):
            raise Overloaded(retry_after_s=max(1, math.ceil(wait_s)))
        self.waiting_rows += own

    def give(self, rows: int) -> None:
        """Return the room of rows that were explained, or won't be."""
        self.waiting_rows -= rows * self._cost
