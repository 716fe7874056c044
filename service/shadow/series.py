"""The few series of a comparison that Prometheus reads, of all workers; made as they are asked for."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ekiben.contract.comparison.comparison_text import name_loss
from ekiben.contract.comparison.judgement import Decision, Judgement, judge
from ekiben.service.shadow.overview import Overview

DECISIONS: dict[Decision, int] = {"worse": -1, "no evidence yet": 0, "better": 1}


class ComparisonCollector(Collector):
    """Gives a judgement's numbers."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield the rows, the disagreement, and what labels say."""
        judgement, total = self._judgement, self._judgement.total
        yield CounterMetricFamily("challenger_rows", "Rows that both models answered.", value=total.compared)
        dropped = CounterMetricFamily("challenger_dropped_rows", "Rows not compared, by reason.", labels=["reason"])
        for reason, rows in total.dropped.items():
            dropped.add_metric([reason], rows)
        yield dropped
        disagreed = "Rows to which the two give different labels, or numbers that are far apart."
        yield CounterMetricFamily("challenger_disagreed_rows", disagreed, value=total.disagreed)
        labels = "Labels that found their pair of answers."
        yield CounterMetricFamily("challenger_labels", labels, value=judgement.labels)
        loss, unit = name_loss(judgement.comparison.target)
        gain = f"By how much the challenger's mean {loss} is smaller, {unit}: the mean, and the 95% bounds at any time."
        family = GaugeMetricFamily("challenger_gain", gain, labels=["bound"])
        for bound, value in judgement.gain._asdict().items():
            family.add_metric([bound], value)
        yield family
        decided = "1: the challenger is better, -1: it is worse, 0: no evidence yet."
        yield GaugeMetricFamily("challenger_decision", decided, value=DECISIONS[judgement.decision])


def prepare_series(overview: Overview) -> Callable[[], bytes]:
    """Take the comparison, on the event loop, and return what makes the series of it, anywhere."""
    comparison = overview.compare()

    def render() -> bytes:
        registry = CollectorRegistry()
        registry.register(ComparisonCollector(judge(comparison)))
        return generate_latest(registry)

    return render
