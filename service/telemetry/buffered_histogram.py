"""A histogram that is counted in plain Python, and handed to Prometheus now and then."""

from bisect import bisect_left
from collections.abc import Sequence

from ekiben.service.telemetry.series import BulkHistogram


class BufferedHistogram:
    """Observations buffered for a histogram."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._reset()

    def observe(self, value: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, value)] += times
        self._total += times * value

    @property
    def times(self) -> int:
        return sum(self._counts)

    def flush(self, histogram: BulkHistogram) -> None:
        if any(self._counts):
            histogram.add(self._counts, self._total)
            self._reset()

    def _reset(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
