"""The page of the metrics, made from the series that the service hands to Prometheus."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from ekiben.service.canary.description import CanaryCollector
from ekiben.service.monitoring.series import DriftCollector
from ekiben.service.shadow.series import ComparisonCollector
from ekiben.service.telemetry.series import get_series

BEGINNING = """# Metrics

What `/metrics` gives to Prometheus. `deploy/compose` has a dashboard and alerts made of them; `docs/monitoring.md` says
when to act on a number, `docs/settings.md` what happens when the disk is full. Times are in seconds.
"""
HEAD = "| series | type | labels | |\n|---|---|---|---|\n"


def render_metrics() -> str:
    """Return the page as Markdown."""
    groups = {
        "Requests and models": _list_own(),
        "Monitoring": DriftCollector({}).collect(),
        "The challenger in the shadow": ComparisonCollector({}).collect(),
        "Canary": CanaryCollector({}).collect(),
    }
    return "\n".join([BEGINNING, *(f"## {title}\n\n{HEAD}{''.join(map(_show, of))}" for title, of in groups.items())])


def _list_own() -> Iterator[Metric]:
    for series in vars(get_series()).values():
        assert isinstance(series, MetricWrapperBase)
        (family,) = series.describe()
        family._labelnames = series._labelnames
        yield family


def _show(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in family._labelnames)
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n"
