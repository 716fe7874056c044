"""The dashboard, the alerts and the scaling rules ask for metrics that the service has, and get answers."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ekiben.model.package import PackedModel
from ekiben.service.settings import Settings
from tests.conftest import ROOT, Server, wait_until
from tests.deploy.prometheus import PROMETHEUS, query, watch
from tests.http_client import HTTP

COMPOSE = ROOT / "deploy" / "compose"
KUBERNETES = ROOT / "deploy" / "kubernetes"
PROMTOOL = shutil.which("promtool")
TARGET_LABELS = {"job", "instance", "namespace", "pod"}  # what Prometheus itself adds
AGGREGATION = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
OPERATOR = re.compile(r"\b(?:and|or|unless|offset \w+)\b")
METRIC = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\()?(?:\{([^}]*)\})?")
Labels = Mapping[str, set[str]]


def dashboard() -> dict[str, str]:
    """Return the expressions of each panel, with Grafana's own variable filled in."""
    board = json.loads((COMPOSE / "grafana" / "dashboards" / "ekiben.json").read_text(encoding="utf-8"))
    return {
        f"{panel['title']}, {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in board["panels"]
        for target in panel["targets"]
    }


def alerts() -> dict[str, str]:
    groups = yaml.safe_load((COMPOSE / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def scaling_rules() -> dict[str, str]:
    """Return what the adapter asks Prometheus, by the name that it gives the answer."""
    filled = {}
    for rule in yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text(encoding="utf-8"))["rules"]["custom"]:
        series = rule["seriesQuery"].partition("{")[0]
        assert re.fullmatch(rule["name"]["matches"], series)
        query = rule["metricsQuery"].replace("<<.Series>>", series)
        query = query.replace("<<.LabelMatchers>>", 'job="ekiben"').replace("<<.GroupBy>>", "job")
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


def ask(server: Server, model: PackedModel) -> None:
    """Have one request answered and one rejected, as it can't be answered in a nanosecond."""
    body = {"rows": [model.schema.example]}
    assert HTTP.post(f"{server.url}/predict", json=body).status_code == 200
    assert HTTP.post(f"{server.url}/predict", json=body, headers={"X-Request-Timeout-Ms": "1e-6"}).status_code != 200


@pytest.fixture(scope="module")
def exported(server: Server, model: PackedModel) -> Labels:
    """The labels of every sample that the service exports, of Prometheus' own `up`, and of alarms: there are none."""
    ask(server, model)
    wait_until(
        lambda: (
            server.metric("ekiben_inference_rejected_total") > 0
            and server.metric("ekiben_inference_batch_rows_sum") > 0
        )
    )
    found: dict[str, set[str]] = {"up": set(), "ekiben_monitoring_alarm": {"model", "feature", "statistic"}}
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
    board = json.loads((COMPOSE / "grafana" / "dashboards" / "ekiben.json").read_text(encoding="utf-8"))
    asked = [one["datasource"]["uid"] for panel in board["panels"] for one in (panel, *panel["targets"])]
    assert set(asked) == {source["uid"]}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert source["url"].removeprefix("http://").partition(":")[0] in compose
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "ekiben.yaml").read_text())["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose["grafana"]["volumes"]


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_promtool_takes_the_configuration_and_the_alerts(tmp_path: Path) -> None:
    def check(folder: Path) -> "subprocess.CompletedProcess[str]":
        command = [str(PROMTOOL), "check", "config", str(folder / "prometheus.yml")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert check(COMPOSE).returncode == 0
    shutil.copytree(COMPOSE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "alerts.yml").write_text((tmp_path / "alerts.yml").read_text().replace("avg_over_time(", "average("))
    assert check(tmp_path).returncode != 0


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus with our configuration, watching the service more often than that says."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    config["scrape_configs"][0]["static_configs"] = [{"targets": [server.url.removeprefix("http://")]}]
    shutil.copy(COMPOSE / "alerts.yml", folder)
    with watch(folder, config) as address:
        yield address


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
    assert query(prometheus, alerts()["EkibenDown"]) == query(prometheus, alerts()["EkibenServesNothing"]) == []
    groups = HTTP.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"]
    assert {rule["name"]: rule["health"] for group in groups for rule in group["rules"]} == dict.fromkeys(
        alerts(), "ok"
    )
