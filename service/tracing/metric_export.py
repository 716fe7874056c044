"""Exports this worker's series by OTLP: what Prometheus would read, under the same names, every minute.

Each worker exports its own, as a service instance of its own: nothing is counted twice, and a collector adds them up.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric as Family

from ekiben.service.tracing.exporters import read_period_s

logger = logging.getLogger("bentoml.service")
CUMULATIVE = AggregationTemporality.CUMULATIVE


class MetricExport:
    """A thread that exports regularly, and once more at the end."""

    def __init__(self, exporter: Any, resource: Resource) -> None:
        self._exporter, self._resource = exporter, resource
        self._began = time.time_ns()
        self._ended = threading.Event()
        self._period_s = read_period_s(os.environ)
        threading.Thread(target=self._run, name="otel-metrics", daemon=True).start()

    def shutdown(self) -> None:
        """Export the last numbers and stop."""
        self._ended.set()
        self._export()
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._ended.wait(self._period_s):
            self._export()

    def _export(self) -> None:
        try:
            self._exporter.export(self._collect(time.time_ns()))
        except Exception:  # answers go on, whatever becomes of their numbers
            logger.exception("metrics can't be exported")

    def _collect(self, now: int) -> MetricsData:
        metrics = [metric for family in REGISTRY.collect() for metric in convert(family, self._began, now)]
        scope = ScopeMetrics(InstrumentationScope("ekiben"), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])


def convert(family: Family, began: int, now: int) -> Iterator[Metric]:
    """Yield what OTLP makes of a family of Prometheus's series; times are nanoseconds since 1970."""
    points: list[Any]
    if family.type == "histogram":
        points = list(_join_buckets(family, began, now))
        data: Any = Histogram(points, CUMULATIVE)
    elif family.type == "counter":
        samples = [one for one in family.samples if one.name.endswith("_total")]
        points = [NumberDataPoint(one.labels, began, now, one.value) for one in samples]
        data = Sum(points, CUMULATIVE, is_monotonic=True)
    elif family.type in ("gauge", "info", "unknown"):
        points = [NumberDataPoint(one.labels, began, now, one.value) for one in family.samples]
        data = Gauge(points)
    else:
        return
    if points:
        yield Metric(family.name, family.documentation, "", data)


def _join_buckets(family: Family, began: int, now: int) -> Iterable[HistogramDataPoint]:
    """Yield a point for each set of labels; Prometheus's buckets hold all below them, OTLP's only their own."""
    by_labels: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        found = by_labels.setdefault(tuple(sorted(labels.items())), {"bounds": [], "below": [], "sum": 0.0})
        if sample.name.endswith("_bucket"):
            found["bounds"].append(float(sample.labels["le"]))
            found["below"].append(int(sample.value))
        elif sample.name.endswith("_sum"):
            found["sum"] = sample.value
    for key, found in by_labels.items():
        below = found["below"]
        own = [count - before for count, before in zip(below, [0, *below], strict=False)]
        yield HistogramDataPoint(
            attributes=dict(key), start_time_unix_nano=began, time_unix_nano=now, count=below[-1], sum=found["sum"],
            bucket_counts=own, explicit_bounds=found["bounds"][:-1], min=None, max=None,  # type: ignore[arg-type]
        )  # fmt: skip
