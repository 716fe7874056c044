"""Triton's names for what is counted, beside ours: for dashboards and autoscalers that were made for Triton.

Source: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/metrics.md
"""

import re
from collections.abc import Callable, Mapping

from prometheus_client import Counter, Gauge

from ekiben.service.telemetry.statistics import Counts

LABELS = ("model", "version")
MAX_VERSIONS, OTHERS = 200, "_others"  # with series of their own
REASONS = {
    "overloaded": "REJECTED",
    "expired": "REJECTED",
    "not_ready": "REJECTED",
    "cancelled": "CANCELED",
    "failed": "BACKEND",
}
PREFIX = "nv_inference_"
# Prometheus' client ends a counter's name with _total, Triton's are older than that custom.
_TOTAL = re.compile(rb"^((?:# (?:HELP|TYPE) )?%b\w+?)_total\b" % PREFIX.encode(), re.MULTILINE)


class TritonSeries:
    """All series of this process under Triton's names."""

    def __init__(self) -> None:
        described = {
            "request_success": "Requests that were answered.",
            "count": "Rows that were answered.",
            "exec_count": "Batches that were computed.",
            "request_duration_us": "Time of the answered requests.",
            "queue_duration_us": "Time that they waited in the queue.",
            "compute_input_duration_us": "Time to validate and encode their rows.",
            "compute_infer_duration_us": "Time of the batches that they were in.",
            "compute_output_duration_us": "0: not measured.",
        }
        self._counters = {name: Counter(PREFIX + name, text, LABELS) for name, text in described.items()}
        self._failures = Counter(f"{PREFIX}request_failure", "Requests that were not answered.", (*LABELS, "reason"))
        self._pending = Gauge(
            f"{PREFIX}pending_request_count", "Rows in the queue now.", LABELS, multiprocess_mode="livesum"
        )

        self._versions: set[tuple[str, str]] = set()

    def count(self, model: str, version: str, counts: Counts, waiting_rows: int) -> None:
        """Count what a version has answered since it was counted last, and the rows that wait for it now."""
        if (model, version) not in self._versions and len(self._versions) >= MAX_VERSIONS:
            model, version = OTHERS, ""
        self._versions.add((model, version))
        self._pending.labels(model, version).set(waiting_rows)
        seconds = {
            "request": counts.answered_s,
            "queue": max(counts.waited_s - counts.encoded_s, 0.0),
            "compute_input": counts.encoded_s,
            "compute_infer": counts.batched_s,
            "compute_output": 0.0,
        }
        added: Mapping[str, float] = {
            "request_success": counts.answered,
            "count": counts.rows,
            "exec_count": counts.batches,
            **{f"{name}_duration_us": 1e6 * spent for name, spent in seconds.items()},
        }
        for name, number in added.items():
            self._counters[name].labels(model, version).inc(number)
        for reason, number in counts.failures.items():
            if number:
                self._failures.labels(model, version, REASONS.get(reason, "OTHER")).inc(number)


def drop_totals(generate: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what makes the metrics with Triton's names as Triton writes them."""
    return lambda: _TOTAL.sub(rb"\1", generate())
