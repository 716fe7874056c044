"""The dashboard, the alerts and the scaling rules ask for metrics that the service has, and get answers."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ekiben.model.package import PackedModel
from ekiben.service.settings import Settings
from tests.conftest import ROOT, Server, wait_until
from tests.deploy.prometheus import PROMETHEUS, query, watch
from tests.deploy.traffic import ask
from tests.http_client import HTTP

COMPOSE = ROOT / "deploy" / "compose"
MONITORING = ROOT / "deploy" / "monitoring"
KUBERNETES = ROOT / "deploy" / "kubernetes"
PROMTOOL = shutil.which("promtool")
TARGET_LABELS = {"job", "instance", "namespace", "pod", "app_kubernetes_io_name"}  # what Prometheus itself adds
# Exported only where there is something to say: an alarm, a canary, a certificate; and what Kubernetes says of pods.
SOMETIMES = {
    "up": set[str](),
    "ekiben_monitoring_alarm": {"model", "feature", "statistic"},
    "ekiben_canary_share": {"model"},
    "ekiben_row_log_dropped_rows_total": {"reason"},
    "ekiben_registry_looks_total": {"result"},
    "ekiben_tls_certificate_expiry_timestamp_seconds": {"file"},
    "kube_pod_container_status_restarts_total": {"namespace", "pod", "container"},
    "kube_pod_container_status_last_terminated_reason": {"namespace", "pod", "container", "reason"},
}
AGGREGATION = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
OPERATOR = re.compile(r"\b(?:and|or|unless|offset \w+)\b|\b\d[\d.]*\b")
METRIC = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\()?(?:\{([^}]*)\})?")
Labels = Mapping[str, set[str]]


def dashboard() -> dict[str, str]:
    """Return the expressions of each panel, with variables filled in as Grafana does where All is chosen."""
    board = read_board()
    chosen = {f"${one['name']}": one["allValue"] for one in board["templating"]["list"] if one["type"] == "query"}
    return {
        f"{panel['title']}, {target['refId']}": fill(target["expr"], {"$__rate_interval": "1m"} | chosen)
        for panel in board["panels"]
        for target in panel["targets"]
    }


def read_board() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((MONITORING / "dashboards" / "ekiben.json").read_text(encoding="utf-8"))
    return board


def fill(expression: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


def alerts() -> dict[str, str]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def scaling_rules() -> dict[str, str]:
    """Return what the adapter asks Prometheus, by the name that it gives the answer."""
    filled = {}
    for rule in yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text(encoding="utf-8"))["rules"]["custom"]:
        series = rule["seriesQuery"].partition("{")[0]
        assert re.fullmatch(rule["name"]["matches"], series)
        query = rule["metricsQuery"].replace("<<.Series>>", series)
        query = query.replace("<<.LabelMatchers>>", 'job="flight-delay"').replace("<<.GroupBy>>", "job")
        filled[rule["name"]["as"]] = query
    return filled


EXPRESSIONS = {**dashboard(), **alerts(), **scaling_rules()}


def find_unknown(expression: str, exported: Labels) -> Iterator[str]:
    """Yield every metric and label in the expression that the service doesn't export."""
    bare = OPERATOR.sub("", re.sub(r"\[[^\]]*\]", "", re.sub(r'"[^"]*"', "", expression)))
    metrics = [(name, labels) for name, call, labels in METRIC.findall(AGGREGATION.sub("", bare)) if not call]
    for name, _ in metrics:
        if name not in exported:
            yield name
    known = TARGET_LABELS.union(*(exported.get(name, set()) for name, _ in metrics))
    used = [re.split(r"[=!~]", one)[0] for _, labels in metrics for one in labels.split(",") if one]
    grouped = [one for group in AGGREGATION.findall(bare) for one in group.split(",")]
    yield from sorted({label.strip() for label in used + grouped} - known)


def add_up(server: Server, name: str) -> float:
    """Return the sum of all series of a name."""
    families = text_string_to_metric_families(HTTP.get(f"{server.url}/metrics").text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.fixture(scope="module")
def exported(server: Server, model: PackedModel) -> Labels:
    """The labels of every sample that the service exports, and of those that it exports only sometimes."""
    ask(server, model)
    wait_until(
        lambda: (
            add_up(server, "ekiben_inference_rejected_total") > 0
            and server.metric("ekiben_inference_batch_rows_sum") > 0
        )
    )
    found = {name: set(labels) for name, labels in SOMETIMES.items()}
    for family in text_string_to_metric_families(HTTP.get(f"{server.url}/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_service_exports_what_is_asked_for(exported: Labels, name: str) -> None:
    assert list(find_unknown(EXPRESSIONS[name], exported)) == []


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ('sum by (le, code) (rate(waits_bucket{code=~"5.."}[5m])) > 0.5', []),
        ("rate(wait_bucket[5m]) / sum(waits_bucket)", ["wait_bucket"]),
        ('waits_bucket{colour="blue", job="ekiben"}', ["colour"]),
        ("count(count by (le, shape) (waits_bucket))", ["shape"]),
        ("waits_bucket and on (job) max_over_time(waits_bucket[1w] offset 6h)", []),
        ("waits_bucket and on (shape) max_over_time(wait_bucket[1w] offset 6h)", ["wait_bucket", "shape"]),
    ],
)
def test_what_the_service_does_not_export_is_found(expression: str, unknown: list[str]) -> None:
    assert list(find_unknown(expression, {"waits_bucket": {"le", "code"}})) == unknown


@pytest.mark.parametrize("overlay", ["production", "sized"])
def test_the_autoscaler_asks_for_what_the_adapter_answers(overlay: str) -> None:
    scaler = yaml.safe_load((KUBERNETES / overlay / "hpa.yaml").read_text(encoding="utf-8"))
    metrics = scaler["spec"]["metrics"]
    assert {metric["pods"]["metric"]["name"] for metric in metrics if "pods" in metric} == scaling_rules().keys()
    assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]


def test_the_queue_counts_as_half_full_at_half_of_its_rows() -> None:
    assert alerts()["EkibenQueueHalfFull"].endswith(f"> {Settings.model_fields['max_waiting_rows'].default // 2}")


def test_grafana_finds_its_datasource_and_dashboards() -> None:
    provisioning = COMPOSE / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    board = read_board()
    chosen = {one["name"]: one for one in board["templating"]["list"]}
    assert list(chosen) == ["datasource", "namespace", "job", "instance"]
    assert (chosen["datasource"]["type"], chosen["datasource"]["query"]) == ("datasource", source["type"])
    asked = [one["datasource"]["uid"] for panel in board["panels"] for one in (panel, *panel["targets"])]
    asked += [one["datasource"]["uid"] for one in chosen.values() if one["type"] == "query"]
    assert set(asked) == {"${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert source["url"].removeprefix("http://").partition(":")[0] in compose
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "ekiben.yaml").read_text())["providers"]
    assert f"../monitoring/dashboards:{provider['options']['path']}:ro" in compose["grafana"]["volumes"]


def test_every_panel_asks_for_what_was_chosen() -> None:
    for panel in read_board()["panels"]:
        for target in panel["targets"]:
            metrics = re.findall(r"\b(?:ekiben|process)_\w+(\{[^}]*\})?", target["expr"])
            assert metrics, panel["title"]
            assert all(
                f'{name}=~"${name}"' in labels for name in ("namespace", "job", "instance") for labels in metrics
            )


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_promtool_takes_the_configuration_and_the_alerts(tmp_path: Path) -> None:
    def check(folder: Path) -> "subprocess.CompletedProcess[str]":
        command = [str(PROMTOOL), "check", "config", str(folder / "prometheus.yml")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    shutil.copy(COMPOSE / "prometheus.yml", tmp_path)
    shutil.copy(MONITORING / "alerts.yml", tmp_path)  # where Compose mounts it
    assert check(tmp_path).returncode == 0
    (tmp_path / "alerts.yml").write_text((tmp_path / "alerts.yml").read_text().replace("avg_over_time(", "average("))
    assert check(tmp_path).returncode != 0


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus with our configuration, watching the service more often than that says."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    del config["alerting"]
    (scraped,) = config["scrape_configs"]
    scraped["static_configs"][0]["targets"] = [server.url.removeprefix("http://")]
    shutil.copy(MONITORING / "alerts.yml", folder)
    with watch(folder, config) as address:
        yield address


RUNG = {"EkibenShedding"}  # by `ask`, half of whose requests are rejected


@pytest.mark.slow
@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")
def test_prometheus_answers_every_panel_and_the_autoscaler(
    server: Server, prometheus: str, model: PackedModel, exported: Labels
) -> None:
    wanted = {**dashboard(), **scaling_rules()}

    def find_empty() -> list[str]:
        ask(server, model)
        return [name for name, expression in wanted.items() if not query(prometheus, expression)]

    wait_until(lambda: not find_empty(), lambda: f"no answer: {find_empty()}")
    assert [name for name in alerts() if name not in RUNG and query(prometheus, alerts()[name])] == []
    groups = HTTP.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"]
    assert {rule["name"]: rule["health"] for group in groups for rule in group["rules"]} == dict.fromkeys(
        alerts(), "ok"
    )
