"""What scoring a table came to, as it is printed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ekiben.contract.explanation.explaining import SETTLED

PREFIX = "prediction."  # of the columns that are added to the table's own
PROBLEM = PREFIX + "problem"  # what is wrong with a row that gets no prediction


@dataclass
class ScoringSummary:
    """How many rows were scored, and where the time went."""

    rows: int = 0
    rejected: int = 0  # rows that don't fit the schema
    unsettled: int = 0  # explained rows whose attributions are less sure than they should be
    unseen: int = 0  # rows with a category value that was never seen in training
    notes: tuple[str, ...] = ()  # what else is to be said of the table
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time inside to that stage."""
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def __str__(self) -> str:
        stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in self.seconds.items())
        lines = [f"{self.rows:,} rows: {stages}; once encoded {self.rows / self.seconds['network']:,.0f} rows/s"]
        if self.unseen:
            lines.append(f"rows with a value never seen in training: {self.unseen:,}")
        if self.rejected:
            lines.append(
                f"rows that don't fit the schema and have no prediction: {self.rejected:,}; `{PROBLEM}` says why"
            )
        if self.unsettled:
            lines.append(
                f"rows whose effects have a standard error above {SETTLED:.0%} of the largest: {self.unsettled:,}"
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
