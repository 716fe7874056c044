"""The few series of comparisons that Prometheus reads, of all workers; made as they are asked for."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ekiben.contract.comparison.comparison import Comparison
from ekiben.contract.comparison.judgement import Decision, Judgement, judge

DECISIONS: dict[Decision, int] = {"worse": -1, "no evidence yet": 0, "better": 1}


class ComparisonCollector(Collector):
    """Gives the numbers of judgements: a name may stand only once in what Prometheus reads, so all models' together."""

    def __init__(self, judgements: Mapping[str, Judgement]) -> None:
        """`judgements`: by the model's name."""
        self._judgements = judgements

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield the rows, the disagreement, and what labels say."""
        rows = _count("ekiben_challenger_rows", "Rows that both models answered.")
        dropped = _count("ekiben_challenger_dropped_rows", "Rows not compared, by reason.", "reason")
        disagreed = _count(
            "ekiben_challenger_disagreed_rows",
            "Rows to which the two give different labels, or numbers that are far apart.",
        )
        labels = _count("ekiben_challenger_labels", "Labels that found their pair of answers.")
        gain = _gauge(
            "ekiben_challenger_gain",
            "By how much the challenger's mean loss is smaller: the mean, and the 95% bounds at any time.",
            "bound",
        )
        decision = _gauge(
            "ekiben_challenger_decision", "1: the challenger is better, -1: it is worse, 0: no evidence yet."
        )
        for model, judgement in self._judgements.items():
            total = judgement.total
            rows.add_metric([model], total.compared)
            for reason, count in total.dropped.items():
                dropped.add_metric([model, reason], count)
            disagreed.add_metric([model], total.disagreed)
            labels.add_metric([model], judgement.labels)
            for bound, value in judgement.gain._asdict().items():
                gain.add_metric([model, bound], value)
            decision.add_metric([model], DECISIONS[judgement.decision])
        yield from (rows, dropped, disagreed, labels, gain, decision)


def render_series(comparisons: Mapping[str, Comparison]) -> bytes:
    """Return the series of comparisons, by their model's name, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(ComparisonCollector({model: judge(comparison) for model, comparison in comparisons.items()}))
    return generate_latest(registry)


def _count(name: str, about: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, about, labels=["model", *labels])


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=["model", *labels])
