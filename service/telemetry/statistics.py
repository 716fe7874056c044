"""What this process has answered so far, in the terms of Triton's statistics extension."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ekiben.contract.comparison.parts import Timing
from ekiben.service.telemetry import metrics


@dataclass(frozen=True)
class DurationTotal:
    """A count and the total duration."""

    count: int = 0
    ns: int = 0


@dataclass(frozen=True)
class Statistics:
    """Sums since the process began; with several workers each counts for itself."""

    last_inference_ms: int  # since 1970; 0 if there was none
    inference_count: int  # rows
    execution_count: int  # batches
    success: DurationTotal  # requests, from their rows to their answers
    fail: DurationTotal
    queue: DurationTotal
    compute_input: DurationTotal  # checking and encoding, once for all that arrive together
    compute_infer: DurationTotal
    compute_output: DurationTotal  # not measured: dialects write their answers themselves
    batches: Mapping[int, DurationTotal]  # by rows, rounded up to a power of two


class Recorder:
    """Counts requests and batches as they end."""

    def __init__(self) -> None:
        self._last = 0.0
        self._answered = self._failed = 0
        self._answered_s = self._failed_s = 0.0
        self._batches: dict[int, list[float]] = defaultdict(lambda: [0, 0.0])
        self._rows = 0  # of all batches

    def record_answer(self, seconds: float) -> None:
        """Count a request that got its answers."""
        self._answered += 1
        self._answered_s += seconds
        self._last = time.time()

    def record_failure(self, seconds: float) -> None:
        """Count a request that got none."""
        self._failed += 1
        self._failed_s += seconds

    def record_batch(self, rows: int, seconds: float) -> None:
        """Count a batch and the engine's time for it."""
        spent = self._batches[1 << (rows - 1).bit_length()]
        spent[0] += 1
        spent[1] += seconds
        self._rows += rows

    def time_engine(self) -> Timing:
        """Return what the engine has taken so far."""
        counts, seconds = zip((0, 0.0), *self._batches.values(), strict=True)
        return Timing(rows=self._rows, batches=int(sum(counts)), seconds=sum(seconds))

    def read(self) -> Statistics:
        """Return the sums so far."""
        return Statistics(
            last_inference_ms=int(1000 * self._last),
            inference_count=int(metrics.batched.total),
            execution_count=metrics.batched.count,
            success=_total(self._answered, self._answered_s),
            fail=_total(self._failed, self._failed_s),
            queue=_total(metrics.waited.count, metrics.waited.total),
            compute_input=_total(metrics.encoded.count, metrics.encoded.total),
            compute_infer=_total(metrics.computed.count, metrics.computed.total),
            compute_output=DurationTotal(),
            batches={rows: _total(int(count), seconds) for rows, (count, seconds) in sorted(self._batches.items())},
        )


def _total(count: int, seconds: float) -> DurationTotal:
    return DurationTotal(count, round(1e9 * seconds))
