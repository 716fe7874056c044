"""What is running, as labels of a series that is always 1: for joins, and for a look at a roll-out."""

import platform
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ekiben.contract.errors import InvalidModel
from ekiben.contract.version import VERSION
from ekiben.model.package import PackedModel

UNKNOWN = "unknown"
ABOUT = "1. Ekiben's version, and of the model that answers by default the commit and the data that it was trained of."


LABELS = ("version", "commit", "data_digest", "schema_digest", "engine", "python")


class BuildCollector(Collector):
    """Gives the one series."""

    def __init__(self, values: Sequence[str]) -> None:
        """`values`: of LABELS."""
        self._values = values

    def collect(self) -> list[GaugeMetricFamily]:
        """Return it."""
        family = GaugeMetricFamily("ekiben_build_info", ABOUT, labels=LABELS)
        family.add_metric(self._values, 1)
        return [family]


def describe_build(model: PackedModel) -> tuple[str, ...]:
    """Return the values of LABELS."""
    commit, data_digest = read_origin(model)
    return VERSION, commit, data_digest, model.schema.digest, model.manifest.engine, platform.python_version()


def read_origin(model: PackedModel) -> tuple[str, str]:
    """Return commit and data digest of a model's training, UNKNOWN if it was packed before that was kept."""
    try:
        provenance = model.provenance
    except InvalidModel:  # an auxiliary file: what it is about answers all the same
        provenance = None
    if provenance is None:
        return UNKNOWN, UNKNOWN
    return provenance.definition.source.commit, provenance.definition.data.digest


class BuildSeries:
    """The series of the model that answers by default; made once for each, as a provenance may be long."""

    def __init__(self) -> None:
        self._made: tuple[PackedModel, bytes] | None = None

    def render(self, model: PackedModel) -> bytes:
        """Return the series as Prometheus reads it."""
        if self._made is None or self._made[0] is not model:
            registry = CollectorRegistry()
            registry.register(BuildCollector(describe_build(model)))
            self._made = model, generate_latest(registry)
        return self._made[1]
