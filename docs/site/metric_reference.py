"""The page of the metrics, made from the series that the service hands to Prometheus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.registry import Collector

from ekiben.service.canary.description import CanaryCollector
from ekiben.service.monitoring.series import DriftCollector
from ekiben.service.shadow.series import ComparisonCollector
from ekiben.service.telemetry.build_info import LABELS, BuildCollector
from ekiben.service.telemetry.processes import Process, ProcessCollector
from ekiben.service.telemetry.series import get_series

BEGINNING = """# Metrics

What `/metrics` gives to Prometheus. `docs/operating.md` says how it is scraped and what rings, `docs/monitoring.md`
when to act on a number, `docs/settings.md` what happens when the disk is full. Times are in seconds.
"""
NOTHING = Process(cpu_s=0.0, started=0.0, resident_bytes=0, open_files=0, max_files=1.0)
HEAD = "| series | type | labels | |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Described:
    """A series, and what there is to say of it."""

    name: str
    type: str
    labels: Sequence[str]
    about: str


def render_metrics() -> str:
    """Return the page as Markdown."""
    groups = {
        "Requests and models": _list_own(),
        "The service itself": [*_list_made(BuildCollector(LABELS)), *_list_made(ProcessCollector([NOTHING]))],
        "Monitoring": _list_made(DriftCollector({})),
        "The challenger in the shadow": _list_made(ComparisonCollector({})),
        "Canary": _list_made(CanaryCollector({})),
    }
    return "\n".join([BEGINNING, *(f"## {title}\n\n{HEAD}{''.join(map(_show, of))}" for title, of in groups.items())])


def _list_own() -> Iterator[Described]:
    for series in vars(get_series()).values():
        (family,) = series.describe()
        yield _describe(family, series)


def _describe(family: Metric, labelled: object) -> Described:
    """Return what a family is, with the labels of what makes its samples: they are public only where there are some."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Described(name, family.type, vars(labelled)["_labelnames"], family.documentation)


def _list_made(collector: Collector) -> Iterator[Described]:
    return (_describe(family, family) for family in collector.collect())


def _show(one: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.type} | {labels} | {one.about} |\n"
