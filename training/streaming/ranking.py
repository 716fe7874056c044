"""Values by their rank in a column too large to be sorted: counted in ever narrower bins, down to the value itself."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
Chunks = Callable[[], Iterable[NDArray[np.int64]]]


def find_ranked(chunks: Chunks, ranks: Sequence[int]) -> list[int]:
    """Return the values at these positions, from 0, of the order of all; `chunks` reads the column once more.

    Twice for the ends and the first bins, and once more for each factor of 65,536 between the values.
    """
    ends = [(int(chunk.min()), int(chunk.max())) for chunk in chunks() if len(chunk)]
    low, high = min(first for first, _ in ends), max(last for _, last in ends)
    spans = [_Span(low, high, rank) for rank in ranks]
    while any(span.low < span.high for span in spans):
        counts = [np.zeros(BINS, np.int64) for _ in spans]
        for chunk in chunks():
            for span, counted in zip(spans, counts, strict=True):
                counted += span.count(chunk)
        for span, counted in zip(spans, counts, strict=True):
            span.narrow(counted)
    return [span.low for span in spans]


class _Span:
    """Values among which the one of a rank is."""

    def __init__(self, low: int, high: int, rank: int) -> None:
        self.low, self.high, self._rank = low, high, rank  # the rank is that among them

    @property
    def _width(self) -> int:
        return -(-(self.high - self.low + 1) // BINS)

    def count(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        within = values[(values >= self.low) & (values <= self.high)]
        return np.bincount((within - self.low) // self._width, minlength=BINS)

    def narrow(self, counts: NDArray[np.int64]) -> None:
        upto = np.cumsum(counts)
        place = int(np.searchsorted(upto, self._rank, "right"))
        self._rank -= int(upto[place] - counts[place])
        width = self._width
        self.low += place * width
        self.high = min(self.high, self.low + width - 1)
