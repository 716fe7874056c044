"""The few series of drift that Prometheus reads: of the present hour and the one before, of all workers.

They are made as they are asked for: a gauge of each worker's own could not be added up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.bins import CategoryBins
from ekiben.contract.reference.drift import DriftReport, report_drift
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.service.monitoring.alarms import DailyAlarms
from ekiben.service.monitoring.overview import Overview

LATEST_HOURS = 2
MAX_FEATURES = 50  # the worst: each is up to five series


class DriftCollector(Collector):
    """Gives a report's numbers."""

    def __init__(self, report: DriftReport, alarms: AlarmReport) -> None:
        self._report, self._alarms = report, alarms

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the rows, how far features and answers have moved, and the shares of missing and unknown values."""
        report = self._report
        features = [shift for shift in report.features[:MAX_FEATURES] if shift.rows]
        rows = "Rows answered in this hour and the one before, which the other monitoring series are of."
        yield GaugeMetricFamily("monitoring_rows", rows, value=report.snapshot.rows)
        moved = "Population stability index of {} against training's; 0.25 is a large change."
        psi = [(shift.then.name, shift.psi) for shift in features]
        yield _family("monitoring_drift", moved.format("a feature"), "feature", psi)
        answers = [(shift.then.name, shift.psi) for shift in report.answers if shift.rows]
        yield _family("monitoring_answer_drift", moved.format("the answers"), "answer", answers)
        yield from _list_shares("monitoring", "the rows", [shift.now for shift in features])
        yield from _list_shares("monitoring_training", "training's rows", [shift.then for shift in features])
        yield from self._collect_alarms()

    def _collect_alarms(self) -> Iterator[GaugeMetricFamily]:
        alarms = self._alarms.alarms
        total = "Features that were not as in training, in the last whole day and the one before."
        yield GaugeMetricFamily("monitoring_alarms", total, value=len(alarms))
        score = "How far each of them is beyond training's own days: it is an alarm from about 1 on."
        family = GaugeMetricFamily("monitoring_alarm", score, labels=["feature", "statistic"])
        for one in alarms[:MAX_FEATURES]:
            family.add_metric([one.feature, one.edge.statistic], one.score)
        yield family


def _list_shares(prefix: str, of: str, features: Sequence[Distribution]) -> Iterator[GaugeMetricFamily]:
    missing = [(one.name, one.missing) for one in features]
    yield _family(f"{prefix}_missing_share", f"Share of {of} without a feature.", "feature", missing)
    unseen = [(one.name, one.unseen) for one in features if isinstance(one.bins, CategoryBins)]
    yield _family(f"{prefix}_unseen_share", f"Share of {of} with a category not in training.", "feature", unseen)


def prepare_series(overview: Overview, reference: Reference, alarms: DailyAlarms) -> Callable[[], Callable[[], bytes]]:
    """Return what takes a snapshot, on the event loop, and returns what makes the series of it, anywhere."""

    def prepare() -> Callable[[], bytes]:
        snapshot = overview.snapshot("hours", LATEST_HOURS)
        judge = alarms.prepare()
        return lambda: render_series(report_drift(reference, snapshot), judge())

    return prepare


def render_series(report: DriftReport, alarms: AlarmReport) -> bytes:
    """Return the series as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(DriftCollector(report, alarms))
    return generate_latest(registry)


def _family(name: str, about: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for labelled, value in values:
        family.add_metric([labelled], value)
    return family
