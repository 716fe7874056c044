"""What one version of a model has answered so far, in the terms of Triton's statistics extension."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from ekiben.contract.comparison.parts import Timing

OTHER = "other"


@dataclass(frozen=True)
class DurationTotal:
    """A count and the total duration."""

    count: int = 0
    ns: int = 0


@dataclass(frozen=True)
class Statistics:
    """Sums since the process began; with several workers each counts for itself.

    As Triton does, all but `fail` count each request that was answered once, with what it waited for: a batch's time
    counts for each request in it. So the parts of one field add up to another's, and clients check that they do.
    """

    last_inference_ms: int  # since 1970; 0 if there was none
    inference_count: int  # rows
    execution_count: int  # batches
    success: DurationTotal  # requests, from their rows to their answers
    fail: DurationTotal
    queue: DurationTotal  # until their batch began, without the next
    compute_input: DurationTotal  # checking and encoding, with those that arrived together
    compute_infer: DurationTotal  # of their batches
    compute_output: DurationTotal  # 0 ns: dialects write their answers themselves
    batches: Mapping[int, DurationTotal]  # by rows, rounded up to a power of two


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests with and without answers, rows and seconds; of all time, or since they were taken last."""

    answered: int = 0
    failed: int = 0
    answered_s: float = 0.0
    rows: int = 0
    computed_s: float = 0.0
    batches: int = 0
    waited_s: float = 0.0  # these, by request: see Statistics
    encoded_s: float = 0.0
    batched_s: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)  # by reason, see RequestRejected; OTHER for all others

    def since(self, before: "Counts") -> "Counts":
        """Return what was counted since then."""
        failures = {reason: count - before.failures.get(reason, 0) for reason, count in self.failures.items()}
        numbers = {name: getattr(self, name) - getattr(before, name) for name in _NUMBERS}
        return Counts(**numbers, failures=failures)


_NUMBERS = tuple(one.name for one in fields(Counts) if one.name != "failures")


class Recorder:
    """Counts requests and batches as they end."""

    def __init__(self) -> None:
        self._last = 0.0
        self._answered = self._failed = self._executed = 0
        self._answered_s = self._failed_s = self._waited_s = self._encoded_s = self._batched_s = 0.0
        self._rows, self._computed_s = 0, 0.0
        self._failures: Counter[str] = Counter()
        self._taken = Counts()
        self._batches: dict[int, list[float]] = defaultdict(lambda: [0, 0.0])

    def record_answer(self, seconds: float) -> None:
        """Count a request that got its answers."""
        self._answered += 1
        self._answered_s += seconds
        self._last = time.time()

    def record_failure(self, seconds: float, reason: str = OTHER) -> None:
        """Count a request that got none."""
        self._failed += 1
        self._failed_s += seconds
        self._failures[reason] += 1

    def record_wait(self, seconds: float) -> None:
        """Count the time that all requests of a batch have waited since they arrived."""
        self._waited_s += seconds

    def record_encoding(self, seconds: float, requests: int) -> None:
        """Count the time that it took to check and encode what arrived together, and how many of them go on."""
        self._encoded_s += requests * seconds

    def record_batch(self, rows: int, seconds: float, requests: int) -> None:
        """Count a batch, the engine's time for it, and the requests that waited for that."""
        self._rows += rows
        self._executed += 1
        self._computed_s += seconds
        self._batched_s += requests * seconds
        spent = self._batches[1 << (rows - 1).bit_length()]
        spent[0] += 1
        spent[1] += seconds

    def time_engine(self) -> Timing:
        """Return what the engine has taken so far."""
        return Timing(rows=self._rows, batches=self._executed, seconds=self._computed_s)

    @property
    def last(self) -> float:
        """When the last request was answered, in seconds since 1970; 0 if none was."""
        return self._last

    def take(self) -> Counts:
        """Return what was counted since the last call."""
        before = self._taken
        now = self._taken = Counts(
            self._answered, self._failed, self._answered_s, self._rows, self._computed_s,
            self._executed, self._waited_s, self._encoded_s, self._batched_s, dict(self._failures),
        )  # fmt: skip
        return now.since(before)

    def read(self) -> Statistics:
        """Return the sums so far."""
        batches = {rows: _total(int(count), seconds) for rows, (count, seconds) in sorted(self._batches.items())}
        return Statistics(
            last_inference_ms=int(1000 * self._last),
            inference_count=self._rows,
            execution_count=self._executed,
            success=_total(self._answered, self._answered_s),
            fail=_total(self._failed, self._failed_s),
            queue=_total(self._answered, max(self._waited_s - self._encoded_s, 0.0)),
            compute_input=_total(self._answered, self._encoded_s),
            compute_infer=_total(self._answered, self._batched_s),
            compute_output=_total(self._answered, 0.0),
            batches=batches,
        )


def _total(count: int, seconds: float) -> DurationTotal:
    return DurationTotal(count, round(1e9 * seconds))
