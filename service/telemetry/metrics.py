"""The service's Prometheus metrics, which ekiben.service.telemetry.exposition serves.

A request is counted in plain Python and handed to Prometheus once a second: its counters live
in files shared by all workers, and writing to them took 8 of a request's 55 µs.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge, Histogram

from ekiben.model.package import PackedModel
from ekiben.service.telemetry.multiprocess import keep_values_in_memory

keep_values_in_memory()  # before the first metric

FLUSH_S = 1.0
DURATIONS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COMPUTE_S = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
BATCH_ROWS = tuple(2**power for power in range(13))


class _Histogram(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class BufferedHistogram:
    """Observations buffered for a histogram; `count` and `total` are those since the process began."""

    def __init__(self, histogram: _Histogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._flushed_count, self._flushed_total = 0, 0.0
        self._reset()

    @property
    def count(self) -> int:
        return self._flushed_count + sum(self._counts)

    @property
    def total(self) -> float:
        return self._flushed_total + self._total

    def observe(self, value: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, value)] += times
        self._total += times * value

    def flush(self) -> None:
        if any(self._counts):
            self._histogram.add(self._counts, self._total)
            self._flushed_count, self._flushed_total = self.count, self.total
            self._reset()

    def _reset(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0


_requests = PrometheusCounter("inference_requests", "Requests answered, by HTTP or gRPC code.", ["protocol", "code"])
_rejected = PrometheusCounter("inference_rejected", "Valid requests rejected, by reason.", ["protocol", "reason"])
_durations = _Histogram(
    "inference_request_duration_seconds", "Time from request to answer.", ["protocol"], buckets=DURATIONS_S
)
_wait = _Histogram(
    "inference_queue_duration_seconds",
    "Time that the oldest request of a batch waited in the queue.",
    buckets=DURATIONS_S,
)
_encode = _Histogram(
    "inference_encode_duration_seconds",
    "Time to validate and encode the rows that arrived together.",
    buckets=COMPUTE_S,
)
_compute = _Histogram("inference_compute_duration_seconds", "Time that the engine took for a batch.", buckets=COMPUTE_S)
_batch_rows = _Histogram("inference_batch_rows", "Rows in a batch.", buckets=BATCH_ROWS)
_waiting_rows = Gauge(
    "inference_waiting_rows",
    "Rows in the queue now; a request not parsed yet counts as one row.",
    multiprocess_mode="livesum",
)
_model_info = Gauge(
    "model_info",
    "The model being served; always 1.",
    ["model", "version", "engine", "run_id", "schema_digest"],
    multiprocess_mode="livemax",
)

_request_counts: Counter[tuple[str, int | str]] = Counter()
_rejected_counts: Counter[tuple[str, str]] = Counter()
_duration_of: dict[str, BufferedHistogram] = {}
waited = BufferedHistogram(_wait, DURATIONS_S)
encoded = BufferedHistogram(_encode, COMPUTE_S)
computed = BufferedHistogram(_compute, COMPUTE_S)
batched = BufferedHistogram(_batch_rows, BATCH_ROWS)


def count_request(protocol: str, code: int | str, seconds: float, times: int = 1) -> None:
    """Count answered requests and how long each took."""
    _request_counts[protocol, code] += times
    observed = _duration_of.get(protocol)
    if observed is None:
        observed = _duration_of[protocol] = BufferedHistogram(_durations.labels(protocol), DURATIONS_S)
    observed.observe(seconds, times)


def count_rejected(protocol: str, reason: str, times: int = 1) -> None:
    """Count good requests that got no answer."""
    _rejected_counts[protocol, reason] += times


def observe_batch(rows: int, seconds: float) -> None:
    """Record one batch and how long the engine took."""
    batched.observe(rows)
    computed.observe(seconds)


def set_model_info(model: PackedModel) -> None:
    """Record which model this process serves."""
    labels = model.name, model.version, model.manifest.engine, model.manifest.run_id, model.schema.digest
    _model_info.labels(*labels).set(1)


def flush_regularly(read_waiting_rows: Callable[[], int]) -> None:
    """Hand everything to Prometheus now and every FLUSH_S on this event loop."""
    flush()
    _waiting_rows.set(read_waiting_rows())
    asyncio.get_running_loop().call_later(FLUSH_S, flush_regularly, read_waiting_rows)


def flush() -> None:
    """Hand everything that was counted to Prometheus."""
    for (protocol, code), count in _request_counts.items():
        _requests.labels(protocol, code).inc(count)
    _request_counts.clear()
    for (protocol, reason), count in _rejected_counts.items():
        _rejected.labels(protocol, reason).inc(count)
    _rejected_counts.clear()
    for observed in (*_duration_of.values(), waited, encoded, computed, batched):
        observed.flush()
