"""The few series of drift that Prometheus reads: of the present hour and the one before, of all models and workers.

They are made as they are asked for: a gauge of each worker's own could not be added up.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

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
# Features, the worst: each is up to five series. All models share them, but each has a few.
MAX_FEATURES, MIN_FEATURES, ALL_FEATURES = 50, 5, 250
MOVED = "Population stability index of {} against training's; 0.25 is a large change."


@dataclass(frozen=True)
class Seen:
    """What there is to report of one model."""

    report: DriftReport
    alarms: AlarmReport


Judge = Callable[[], Seen]  # may be called in any thread


class DriftCollector(Collector):
    """Gives the reports' numbers: a name may stand only once in what Prometheus reads, so all models' together."""

    def __init__(self, seen: Mapping[str, Seen]) -> None:
        """`seen`: by the model's name."""
        self._seen = seen
        self._features = min(MAX_FEATURES, max(MIN_FEATURES, ALL_FEATURES // max(len(seen), 1)))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the rows, how far features and answers have moved, and the shares of missing and unknown values."""
        about = "Rows answered in this hour and the one before, which the other monitoring series are of."
        rows = _family("ekiben_monitoring_rows", about)
        features = _family("ekiben_monitoring_drift", MOVED.format("a feature"), "feature")
        answers = _family("ekiben_monitoring_answer_drift", MOVED.format("the answers"), "answer")
        now, then = (
            _make_shares("ekiben_monitoring", "the rows"),
            _make_shares("ekiben_monitoring_training", "training's rows"),
        )
        for model, seen in self._seen.items():
            rows.add_metric([model], seen.report.snapshot.rows)
            for shift in seen.report.features[: self._features]:
                if shift.rows:
                    features.add_metric([model, shift.then.name], shift.psi)
                    _add_shares(now, model, shift.now)
                    _add_shares(then, model, shift.then)
            for answer in seen.report.answers:
                if answer.rows:
                    answers.add_metric([model, answer.then.name], answer.psi)
        yield from (rows, features, answers, *now, *then)
        yield from self._collect_alarms()

    def _collect_alarms(self) -> Iterator[GaugeMetricFamily]:
        about = "Features that were not as in training, in the last whole day and the one before."
        total = _family("ekiben_monitoring_alarms", about)
        about = "How far each of them is beyond training's own days: it is an alarm from about 1 on."
        scores = _family("ekiben_monitoring_alarm", about, "feature", "statistic")
        for model, seen in self._seen.items():
            total.add_metric([model], len(seen.alarms.alarms))
            for one in seen.alarms.alarms[: self._features]:
                scores.add_metric([model, one.feature, one.edge.statistic], one.score)
        yield from (total, scores)


def prepare_series(overview: Overview, reference: Reference, alarms: DailyAlarms) -> Callable[[], Judge]:
    """Return what takes a snapshot, on the event loop, and returns what judges it, anywhere."""

    def prepare() -> Judge:
        snapshot = overview.snapshot("hours", LATEST_HOURS)
        judge = alarms.prepare()
        return lambda: Seen(report_drift(reference, snapshot), judge())

    return prepare


def render_series(judges: Mapping[str, Judge]) -> bytes:
    """Return the series of models, by their names, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(DriftCollector({model: judge() for model, judge in judges.items()}))
    return generate_latest(registry)


def _make_shares(prefix: str, of: str) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        _family(f"{prefix}_missing_share", f"Share of {of} without a feature.", "feature"),
        _family(f"{prefix}_unseen_share", f"Share of {of} with a category not in training.", "feature"),
    )


def _add_shares(shares: tuple[GaugeMetricFamily, GaugeMetricFamily], model: str, one: Distribution) -> None:
    missing, unseen = shares
    missing.add_metric([model, one.name], one.missing)
    if isinstance(one.bins, CategoryBins):
        unseen.add_metric([model, one.name], one.unseen)


def _family(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=["model", *labels])
