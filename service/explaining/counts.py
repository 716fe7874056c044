"""What explanations a version has given; they are no traffic, so nothing else counts them."""

import time
from dataclasses import dataclass, fields


@dataclass(slots=True)
class ExplanationCounts:
    """Requests with and without explanations, the rows in them, and what they cost; of all time, or of a while."""

    answered: int = 0
    failed: int = 0
    rows: int = 0
    pairs: int = 0
    computed_rows: int = 0  # by the engine
    seconds: float = 0.0  # from the rows to the explanations, of all requests that got them


class ExplanationCounter:
    """Counts requests as they end."""

    def __init__(self) -> None:
        self.total = ExplanationCounts()
        self.last = 0.0  # when one was answered, in seconds since 1970; 0 if none was
        self._taken = ExplanationCounts()

    def record_answer(self, pairs: list[int], seconds: float) -> None:
        """Count a request whose rows got explanations of so many pairs."""
        self.total.answered += 1
        self.total.rows += len(pairs)
        self.total.pairs += sum(pairs)
        self.total.seconds += seconds
        self.last = time.time()

    def take(self) -> ExplanationCounts:
        """Return what was counted since the last call."""
        names = [field.name for field in fields(ExplanationCounts)]
        now, before = self.total, self._taken
        self._taken = ExplanationCounts(*[getattr(now, name) for name in names])
        return ExplanationCounts(*[getattr(now, name) - getattr(before, name) for name in names])
