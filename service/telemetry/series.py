"""The series that Prometheus reads.

prometheus_client has one registry for a process, which takes each name once, and decides as a metric is made whether it
is shared by several workers: so they are made once, when the first is needed, after `keep_values_in_memory`.
"""

from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

DURATIONS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COMPUTE_S = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
BATCH_ROWS = tuple(2**power for power in range(13))


class BulkHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class Series:
    """All series of this process."""

    def __init__(self) -> None:
        self.requests = Counter(
            "ekiben_inference_requests", "Requests answered, by HTTP or gRPC code.", ["protocol", "code"]
        )
        self.rejected = Counter(
            "ekiben_inference_rejected", "Valid requests rejected, by reason.", ["protocol", "reason"]
        )
        self.unknown_fields = Counter(
            "ekiben_unknown_fields", "Requests with unknown fields that UNKNOWN_FIELDS=ignore let pass.", ["model"]
        )
        self.durations = BulkHistogram(
            "ekiben_inference_request_duration_seconds",
            "Time from request to answer, by the class of its code (gRPC's: of HTTP's code for the same).",
            ["protocol", "code_class"],
            buckets=DURATIONS_S,
        )
        self.wait = BulkHistogram(
            "ekiben_inference_queue_duration_seconds",
            "Time that the oldest request of a batch waited in the queue.",
            buckets=DURATIONS_S,
        )
        self.encode = BulkHistogram(
            "ekiben_inference_encode_duration_seconds",
            "Time to validate and encode the rows that arrived together.",
            buckets=COMPUTE_S,
        )
        self.compute = BulkHistogram(
            "ekiben_inference_compute_duration_seconds", "Time that the engine took for a batch.", buckets=COMPUTE_S
        )
        self.batch_rows = BulkHistogram("ekiben_inference_batch_rows", "Rows in a batch.", buckets=BATCH_ROWS)
        self.waiting_rows = Gauge(
            "ekiben_inference_waiting_rows",
            "Rows in the queue now; a request not parsed yet counts as one row.",
            multiprocess_mode="livesum",
        )
        self.logged_rows = Counter("ekiben_row_log_rows", "Rows that the row log has written.")
        self.log_dropped = Counter(
            "ekiben_row_log_dropped_rows", "Rows that the row log has lost, by reason.", ["reason"]
        )
        # Of each model few, for there may be fifty: the series above are of all together.
        self.model_requests = Counter("ekiben_model_requests", "Requests for a model's answers.", ["model", "result"])
        self.model_request_seconds = Counter(
            "ekiben_model_request_seconds",
            "Time from the rows to the answers of all requests that got them.",
            ["model"],
        )
        self.model_rows = Counter("ekiben_model_rows", "Rows that a model has answered.", ["model"])
        self.model_compute_seconds = Counter(
            "ekiben_model_compute_seconds", "Time that the engine took for them.", ["model"]
        )
        self.model_waiting_rows = Gauge(
            "ekiben_model_waiting_rows", "Rows in a model's queue now.", ["model"], multiprocess_mode="livesum"
        )
        # Explanations are counted in nothing above but the requests and durations of their protocol.
        self.explanations = Counter("ekiben_explanation_requests", "Requests for explanations.", ["model", "result"])
        self.explanation_seconds = Counter(
            "ekiben_explanation_request_seconds",
            "Time from the rows to their explanations, of all that got them.",
            ["model"],
        )
        self.explained_rows = Counter("ekiben_explanation_rows", "Rows that were explained.", ["model"])
        self.explanation_pairs = Counter(
            "ekiben_explanation_pairs", "Pairs of variants in their explanations.", ["model"]
        )
        self.explanation_computed_rows = Counter(
            "ekiben_explanation_computed_rows", "Rows that the engine answered for explanations.", ["model"]
        )
        self.explanation_waiting_rows = Gauge(
            "ekiben_explanation_waiting_rows", "Rows for the engine that explanations still need.", ["model"],
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.reloads = Counter("ekiben_model_reloads", "Versions that took another's place, or failed to.", ["result"])
        self.model_info = Gauge(
            "ekiben_model_info",
            "The model being served: 1; one that was served before: 0.",
            ["model", "version", "engine", "run_id", "schema_digest"],
            multiprocess_mode="livemax",
        )
        self.worker_starts = Counter(
            "ekiben_worker_starts", "Worker processes that began; more than WORKERS: some died and were replaced."
        )
        self.registry_looks = Counter(
            "ekiben_registry_looks", "Looks at the MLflow registry, by what came of it.", ["result"]
        )
        self.certificate_expiry = Gauge(  # its label keeps it away without TLS: an expiry of 0 would be an alarm
            "ekiben_tls_certificate_expiry_timestamp_seconds",
            "When the certificate in use expires, in seconds since 1970; with TLS only.",
            ["file"],
            multiprocess_mode="livemin",
        )


@cache
def get_series() -> Series:
    """Return the series of this process."""
    return Series()
