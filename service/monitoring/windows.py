"""Counts by time: five minutes, hours and days, of each the latest few."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.snapshot import LENGTHS, Span

KEPT: Mapping[Span, int] = {"minutes": 24, "hours": 48, "days": 31}  # windows
MIN_KEPT = 2
MAX_BYTES = 12 * 2**20  # of all windows; a schema of 10,000 features has fewer of them


@dataclass(slots=True)
class Tally:
    """What was seen in one window."""

    counts: NDArray[np.int64]  # as RowCounter has them
    rows: int = 0
    counted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


class Windows:
    """The latest windows of every length; the oldest goes as one more begins, whatever the clock says."""

    def __init__(self, width: int) -> None:
        self._width = width
        share = min(1.0, MAX_BYTES / (8 * max(width, 1) * sum(KEPT.values())))
        self._kept = {span: max(MIN_KEPT, int(share * kept)) for span, kept in KEPT.items()}
        self._tallies: dict[Span, OrderedDict[int, Tally]] = {span: OrderedDict() for span in KEPT}

    def at(self, now: float) -> Iterator[Tally]:
        """Yield the windows that hold this time, in seconds since 1970: one of every length."""
        for span, tallies in self._tallies.items():
            length = int(LENGTHS[span].total_seconds())
            start = int(now // length) * length
            if start not in tallies:
                tallies[start] = Tally(np.zeros(self._width, np.int64))
                while len(tallies) > self._kept[span]:
                    tallies.popitem(last=False)
            yield tallies[start]

    def list(self, span: Span) -> list[tuple[int, Tally]]:
        """Return the windows of one length by their start, the oldest first."""
        return list(self._tallies[span].items())
