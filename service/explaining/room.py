"""How many rows explanations may cost together: one to explain is some hundreds for the engine.

So it is these that are counted, and a request that can't be answered is rejected before anything is spent on it: with
413 if it alone would take more than its SHARE of the room, 504 if it alone takes too long, and 429 if it is others that
it would wait for.
"""

import math
from collections.abc import Callable

from ekiben.contract.explanation.explaining import ROUND_PAIRS
from ekiben.service.errors import BadRequest, DeadlineExceeded, Overloaded

SHARE = 4  # a request may take one of so many parts of the room: one caller doesn't keep out all others


class Room:
    """Counts the engine's rows that explanations still need at most; belongs to one event loop."""

    def __init__(self, pair_rows: int, max_rows: int, predict_s: Callable[[int], float]) -> None:
        """`pair_rows`: for the engine in a pair; `predict_s` returns the seconds that it takes for so many."""
        self.waiting_rows = 0
        self._pair_rows, self._max_rows, self._predict_s = pair_rows, max_rows, predict_s

    def price(self, rows: int, pairs: int = ROUND_PAIRS) -> int:
        """Return the engine's rows in the explanations of so many rows, each of so many pairs."""
        return rows * (pairs * self._pair_rows + 1)

    def check(self, rows: int, pairs: int) -> None:
        """Raise BadRequest if that many rows are too many for one request; one is not, however many features it has."""
        most = max(1, self._max_rows // SHARE // self.price(1, pairs))
        if rows > most:
            price = f"the model answers {self.price(1, pairs)} for each that is explained"
            raise BadRequest(413, f"{rows} rows are more than {most} ({price}): send them in several requests")

    def take(self, rows: int, pairs: int, left_s: float) -> int:
        """Make room for rows to explain, and return how much; `give` of as much must follow.

        Raises Overloaded if there is none, or others make their first round late; DeadlineExceeded if it is late alone.
        """
        price, first_round = self.price(rows, pairs), self.price(rows)
        if self._predict_s(first_round) > left_s:
            raise DeadlineExceeded
        wait_s = self._predict_s(self.waiting_rows + first_round)
        if self.waiting_rows and (self.waiting_rows + price > self._max_rows or wait_s > left_s):
            raise Overloaded(retry_after_s=max(1, math.ceil(wait_s)))
        self.waiting_rows += price
        return price

    def give(self, price: int) -> None:
        """Return room that is needed no more."""
        self.waiting_rows -= price
