"""Every overlay of deploy/kubernetes is what Kubernetes takes, and two models of a namespace never meet."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiben.load_tests.capacity.container import TEMPORARY_MIB
from ekiben.service.connections.byte_budget import EXPANSION
from ekiben.service.lifecycle.resource_limits import MIB, START_MIB
from ekiben.service.settings import Settings
from tests.deploy.kubernetes_schemas import validate
from tests.deploy.kustomize import (
    KUBERNETES,
    OVERLAYS,
    Rendered,
    find_scraped,
    find_selectors,
    matches,
    needs_kubectl,
    pod_labels,
    render,
    write_overlay,
)

pytestmark = needs_kubectl
NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
HOUSES = "house-prices"


def find_container(rendered: Rendered) -> dict[str, Any]:
    (container,) = (
        one["spec"]["template"]["spec"]["containers"][0] for (kind, _), one in rendered.items() if kind == "Deployment"
    )
    return dict(container)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_renders_what_kubernetes_takes(overlay: str) -> None:
    rendered = render(KUBERNETES / overlay)
    instance = HOUSES if overlay == "another-model" else "flight-delay"
    kinds = ("Deployment", "Service", "NetworkPolicy", "ServiceAccount")
    assert {(kind, instance) for kind in kinds} <= rendered.keys()
    scaled = overlay in {"production", "sized", "another-model"}
    assert (("HorizontalPodAutoscaler", instance) in rendered) == scaled
    for (_, name), document in rendered.items():
        validate(document)
        assert name.startswith(instance)
        labels = {NAME: "ekiben", INSTANCE: instance, "app.kubernetes.io/component": "inference"}
        assert document["metadata"]["labels"] == labels


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_calls_nobody_and_is_called_on_its_ports_alone(overlay: str) -> None:
    (policy,) = (one["spec"] for (kind, _), one in render(KUBERNETES / overlay).items() if kind == "NetworkPolicy")
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert not policy.get("egress")  # an empty list, or none: nothing is allowed
    assert all(rule["from"] and rule["ports"] for rule in policy["ingress"])


@pytest.mark.parametrize("base", ["single", "production", "sized", "small", "scale-to-zero"])
def test_two_models_in_one_namespace_never_meet(base: str, tmp_path: Path) -> None:
    ours, theirs = render(KUBERNETES / base), render(write_overlay(tmp_path, HOUSES, base, "token tls"))
    assert ours.keys().isdisjoint(theirs.keys())
    for mine, others in ((ours, theirs), (theirs, ours)):
        selectors = dict(find_selectors(mine))
        assert len(selectors) >= 5
        for who, selector in selectors.items():
            assert matches(selector, pod_labels(mine)), who
            assert not matches(selector, pod_labels(others)), who
    assert find_container(theirs)["image"] == "registry.example.com/house-prices:1"
    assert "flight-delay" not in yaml.safe_dump(list(theirs.values()))


def test_a_model_that_is_not_named_is_found(tmp_path: Path) -> None:
    """The sibling: without the component the second model's objects are the first's."""
    overlay = write_overlay(tmp_path, HOUSES)
    text = (overlay / "kustomization.yaml").read_text().replace("- ../components/named\n", "")
    (overlay / "kustomization.yaml").write_text(text.replace("components:\n", ""))
    theirs = render(overlay)
    theirs = {key: one for key, one in theirs.items() if not key[1].startswith("model-")}
    assert theirs.keys() == render(KUBERNETES / "single").keys()
    assert all(matches(selector, pod_labels(theirs)) for _, selector in find_selectors(render(KUBERNETES / "single")))


def test_prometheus_has_a_job_for_each_model_and_each_replica_once(tmp_path: Path) -> None:
    ours = render(KUBERNETES / "production")
    theirs = render(write_overlay(tmp_path, HOUSES, "production"))
    assert find_scraped(ours) == [{"job": "flight-delay", "app_kubernetes_io_name": "ekiben"}]
    assert find_scraped(theirs) == [{"job": HOUSES, "app_kubernetes_io_name": "ekiben"}]
    monitors = {key: one for key, one in ours.items() if key[0] == "ServiceMonitor"}
    services = {key: one for key, one in theirs.items() if key[0] == "Service"}
    assert find_scraped(monitors | services) == []


def test_ports_belong_together() -> None:
    rendered = render(KUBERNETES / "production")
    ports = {port["name"]: port["containerPort"] for port in find_container(rendered)["ports"]}
    assert set(ports.values()) == {Settings.model_fields[name].default for name in ("port", "grpc_port")}
    for (kind, _), document in rendered.items():
        if kind == "Service":
            assert all(port["port"] == ports[port["targetPort"]] for port in document["spec"]["ports"])
    (policy,) = (one["spec"] for (kind, _), one in rendered.items() if kind == "NetworkPolicy")
    assert {port["port"] for port in policy["ingress"][0]["ports"]} == ports.keys()


def test_an_image_is_named_by_digest_in_one_line(tmp_path: Path) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    images = [{"name": "registry.example.com/flight-delay", "newName": "example.com:5000/flights", "digest": digest}]
    rendered = render(write_overlay(tmp_path, "flight-delay", images=images))
    assert find_container(rendered)["image"] == f"example.com:5000/flights@{digest}"


def test_the_pod_has_its_own_account_without_a_token_and_its_settings() -> None:
    rendered = render(KUBERNETES / "single")
    pod = rendered["Deployment", "flight-delay"]["spec"]["template"]["spec"]
    account = rendered["ServiceAccount", pod["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
    (source,) = find_container(rendered)["envFrom"]
    settings = rendered["ConfigMap", source["configMapRef"]["name"]]["data"]
    assert {name.lower() for name in settings} <= Settings.model_fields.keys()


def test_a_setting_is_one_line(tmp_path: Path) -> None:
    generator = [
        {"name": "model", "literals": [f"instance={HOUSES}"]},
        {
            "name": "flight-delay-settings", "behavior": "merge", "literals": ["MAX_WAIT_S=0.02"],
            "options": {"disableNameSuffixHash": True},
        },
    ]  # fmt: skip
    rendered = render(write_overlay(tmp_path, HOUSES, configMapGenerator=generator))
    settings = rendered["ConfigMap", f"{HOUSES}-settings"]["data"]
    assert settings == {"GRPC_CONNECTION_AGE_S": "2", "LOG_FORMAT": "json", "MAX_WAIT_S": "0.02"}


def test_the_autoscaler_works_without_the_adapter() -> None:
    metrics = render(KUBERNETES / "production")["HorizontalPodAutoscaler", "flight-delay"]["spec"]["metrics"]
    assert [metric["type"] for metric in metrics] == ["Pods", "Pods", "Resource"]
    assert metrics[-1]["resource"]["name"] == "cpu"


def test_a_capacity_report_replaces_the_numbers_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    sized = tmp_path / "kubernetes" / "sized"
    scaling, resources = (sized / "hpa.yaml").read_text(), (sized / "resources.yaml").read_text()
    (sized / "hpa.yaml").write_text(scaling.replace("maxReplicas: 10", "maxReplicas: 7").replace('"5000"', '"1234"'))
    (sized / "resources.yaml").write_text(resources.replace("memory: 384Mi", "memory: 272Mi"))
    before, after = render(KUBERNETES / "production"), render(sized)
    scaler = after.pop(("HorizontalPodAutoscaler", "flight-delay"))["spec"]
    unsized = before.pop(("HorizontalPodAutoscaler", "flight-delay"))["spec"]
    assert scaler["maxReplicas"] == 7
    assert [one["pods"]["target"]["averageValue"] for one in scaler["metrics"][:2]] == ["1234", "1000"]
    assert scaler["metrics"][2] == unsized["metrics"][2]
    assert scaler["behavior"] == unsized["behavior"]
    assert find_container(after)["resources"]["requests"]["memory"] == "272Mi"
    find_container(after)["resources"]["requests"]["memory"] = "384Mi"
    assert after == before


def test_small_is_enough_to_start_and_for_its_largest_body() -> None:
    rendered = render(KUBERNETES / "small")
    resources = find_container(rendered)["resources"]
    assert resources["requests"] == {"cpu": "250m", "memory": "256Mi"}
    assert resources["limits"]["memory"] == "256Mi"
    settings = rendered["ConfigMap", "flight-delay-settings"]["data"]
    assert START_MIB + EXPANSION * int(settings["MAX_BODY_BYTES"]) / MIB < 256
    assert find_container(rendered)["readinessProbe"] == find_container(render(KUBERNETES / "single"))["readinessProbe"]


def test_the_limit_of_capacity_counts_the_memory_of_tmp() -> None:
    pod = render(KUBERNETES / "sized")["Deployment", "flight-delay"]["spec"]["template"]["spec"]
    (files,) = (volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"])
    assert files == f"{TEMPORARY_MIB}Mi"


def test_with_tls_every_probe_and_prometheus_speak_it(tmp_path: Path) -> None:
    rendered = render(write_overlay(tmp_path, HOUSES, "production", "tls"))
    container = find_container(rendered)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    plain = find_container(render(KUBERNETES / "production"))
    assert "scheme" not in plain["readinessProbe"]["httpGet"]
    given = {one["name"]: Path(one["value"]) for one in container["env"]}
    check_mounted(rendered, given, {"TLS_CERT_FILE", "TLS_KEY_FILE"}, f"{HOUSES}-tls")
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    assert rendered["ServiceMonitor", HOUSES]["spec"]["endpoints"][0]["scheme"] == "https"
    for (kind, name), document in rendered.items():
        validate(document)
        if kind == "Service":
            assert {port["appProtocol"] for port in document["spec"]["ports"]} == {"https"}, name
    assert [one["name"] for one in rendered["Service", f"{HOUSES}-replicas"]["spec"]["ports"]] == ["grpc"]


@pytest.mark.parametrize("base", ["single", "production"])
def test_with_a_token_prometheus_sends_it(base: str, tmp_path: Path) -> None:
    rendered = render(write_overlay(tmp_path, HOUSES, base, "token"))
    given = {one["name"]: Path(one["value"]) for one in find_container(rendered)["env"]}
    check_mounted(rendered, given, {"AUTH_TOKEN_FILE"}, f"{HOUSES}-token")
    for (kind, _), document in rendered.items():
        validate(document)
        if kind == "ServiceMonitor":
            credentials = {"credentials": {"name": f"{HOUSES}-token", "key": "token"}}
            assert document["spec"]["endpoints"][0]["authorization"] == credentials
    assert (("ServiceMonitor", HOUSES) in rendered) == (base == "production")


def check_mounted(rendered: Rendered, given: dict[str, Path], names: set[str], secret: str) -> None:
    """Check that the variables name files in the Secret's folder; single files of it would not be renewed."""
    assert given.keys() == names
    pod = rendered["Deployment", HOUSES]["spec"]["template"]["spec"]
    (volume,) = (volume for volume in pod["volumes"] if "secret" in volume)
    assert volume["secret"] == {"secretName": secret, "optional": True}
    (mount,) = (one for one in pod["containers"][0]["volumeMounts"] if one["name"] == volume["name"])
    assert mount == {"name": volume["name"], "mountPath": f"/etc/ekiben/{volume['name']}", "readOnly": True}
    assert all(path.parent == Path(mount["mountPath"]) for path in given.values())


def test_the_operators_rules_are_those_of_prometheus(tmp_path: Path) -> None:
    rendered = render(KUBERNETES / "alerts")
    assert rendered.keys() == {("PrometheusRule", "ekiben"), ("ConfigMap", "ekiben-dashboard")}
    rule = rendered["PrometheusRule", "ekiben"]
    (alerts,) = KUBERNETES.parent.glob("*/alerts.yml")
    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == yaml.safe_load(alerts.read_text(encoding="utf-8")), "run deploy/kubernetes/alerts/write"
    folder = tmp_path / "deploy" / "kubernetes" / "alerts"
    shutil.copytree(KUBERNETES / "alerts", folder)
    (tmp_path / "deploy" / "any").mkdir()
    (tmp_path / "deploy" / "any" / "alerts.yml").write_text("groups:\n  - name: other\n    rules: []\n")
    subprocess.run([folder / "write"], check=True)
    (written,) = yaml.safe_load_all((folder / "prometheusrule.yaml").read_text())
    assert written["spec"] == {"groups": [{"name": "other", "rules": []}]}
    assert written["metadata"] == rule["metadata"]


def test_grafana_gets_the_dashboard_that_is_tested() -> None:
    dashboard = render(KUBERNETES / "alerts")["ConfigMap", "ekiben-dashboard"]
    validate(dashboard)
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    (path,) = KUBERNETES.parent.glob("monitoring/dashboards/*.json")
    assert dashboard["data"] == {path.name: path.read_text(encoding="utf-8")}


def test_keda_asks_about_the_service_that_it_scales() -> None:
    rendered = render(KUBERNETES / "scale-to-zero")
    scaled = rendered["ScaledObject", "flight-delay"]["spec"]
    route = rendered["InterceptorRoute", "flight-delay"]["spec"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in rendered
    assert scaled["triggers"][0]["metadata"]["interceptorRoute"] == "flight-delay"
    ports = {port["name"] for port in rendered["Service", route["target"]["service"]]["spec"]["ports"]}
    assert route["target"]["portName"] in ports
    assert scaled["minReplicaCount"] == 0
    assert "replicas" not in rendered["Deployment", "flight-delay"]["spec"]  # each `apply` would start one
