"""The chart is what `deploy/kubernetes` is, rendered by the real Helm."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiben.contract.version import VERSION
from tests.deploy.helm import HELMS_OWN, helm, needs_helm, template, values, without
from tests.deploy.kubernetes_schemas import CUSTOM, validate
from tests.deploy.kustomize import (
    KUBERNETES,
    Rendered,
    find_scraped,
    find_selectors,
    matches,
    needs_kubectl,
    pod_labels,
    render,
    write_overlay,
)
from tests.deploy.manifests import CHART, read

pytestmark = needs_helm

# Overlays, and the values that make the same.
SAME = {
    "single": ["values.yaml"],
    "small": ["values-small.yaml"],
    "production": ["values-production.yaml"],
    "sized": ["values-production.yaml", "values-sized.yaml"],
    "scale-to-zero": ["values-scale-to-zero.yaml"],
}
HOUSES = "--set=image.repository=registry.example.com/house-prices"  # as another-model's kustomization says
DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize("overlay", SAME)
def test_helm_finds_nothing_to_mend(overlay: str) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *values(*SAME[overlay]))


@needs_kubectl
@pytest.mark.parametrize("overlay", SAME)
def test_the_chart_is_the_overlay(overlay: str) -> None:
    chart, kustomize = template(*values(*SAME[overlay])), render(KUBERNETES / overlay)
    assert chart.keys() == kustomize.keys()
    for key, document in kustomize.items():
        assert without(chart[key], *HELMS_OWN) == without(document), key


@needs_kubectl
@pytest.mark.parametrize("base", ["small", "production"])
def test_token_and_tls_are_the_components(base: str, tmp_path: Path) -> None:
    kustomize = render(write_overlay(tmp_path, "houses", base, "token tls"))
    chart = template(*values(*SAME[base]), "--set=token.enabled=true,tls.enabled=true", HOUSES, name="houses")
    assert chart.keys() == kustomize.keys()
    for key, document in kustomize.items():
        assert without(chart[key], *HELMS_OWN) == without(document), key


def test_alerts_and_dashboard_are_the_ones_that_are_tested() -> None:
    ours = template("--set=monitoring.alerts.enabled=true,monitoring.dashboard.enabled=true")
    (written,) = read(KUBERNETES / "alerts" / "prometheusrule.yaml")
    assert without(ours["PrometheusRule", "ekiben"], *HELMS_OWN) == without(written)
    dashboard = ours["ConfigMap", "ekiben-dashboard"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    (path,) = (path for path in CHART.parents[1].rglob("ekiben.json") if CHART not in path.parents)
    assert json.loads(dashboard["data"]["ekiben.json"]) == json.loads(path.read_text(encoding="utf-8"))
    assert not {("PrometheusRule", "ekiben"), ("ConfigMap", "ekiben-dashboard")} & template().keys()


EVERYTHING = """
image: {digest: "%s", pullSecrets: [registry]}
token: {enabled: true}
tls: {enabled: true, clientCA: true}
autoscaling: {enabled: true}
podDisruptionBudget: {enabled: true}
monitoring: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}
networkPolicy: {from: [{ipBlock: {cidr: 10.0.0.0/8}}], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
serviceAccount: {annotations: {example.com/role: reader}}
gateway: {enabled: true, parentRefs: [{name: public}], hostnames: [a.example.com], grpcHostnames: [b.example.com]}
ingress: {enabled: true, host: a.example.com, tlsSecretName: a, grpc: {host: b.example.com, tlsSecretName: b}}
labels: {team: pricing}
podAnnotations: {example.com/note: kept}
nodeSelector: {disk: ssd}
tolerations: [{key: spot, operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: high
extraEnv: [{name: LOG_HASH_KEY, valueFrom: {secretKeyRef: {name: log, key: key}}}]
extraVolumes: [{name: log, persistentVolumeClaim: {claimName: log}}]
extraVolumeMounts: [{name: log, mountPath: /log}]
fsGroup: 10034
"""


@pytest.fixture
def everything(tmp_path: Path) -> Rendered:
    """What is sent with every value that there is."""
    path = tmp_path / "values.yaml"
    path.write_text(EVERYTHING % DIGEST)
    return template(f"--values={path}")


def test_kubernetes_takes_everything_that_the_chart_can_make(everything: Rendered) -> None:
    kinds = {kind for kind, _ in everything}
    assert {"HTTPRoute", "GRPCRoute", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds
    for (kind, _), document in everything.items():
        assert document["metadata"]["labels"]["team"] == "pricing"
        if kind not in CUSTOM | {"HTTPRoute", "GRPCRoute"}:
            validate(document)


def test_an_image_is_named_by_its_digest_if_there_is_one(everything: Rendered) -> None:
    (container,) = everything["Deployment", "flight-delay"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/flight-delay@{DIGEST}"
    (container,) = template()["Deployment", "flight-delay"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/flight-delay:1"


def test_every_file_of_a_secret_is_in_a_folder_that_is_mounted(everything: Rendered) -> None:
    (container,) = everything["Deployment", "flight-delay"]["spec"]["template"]["spec"]["containers"]
    folders = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    files = {one["name"]: Path(one["value"]) for one in container["env"] if one["name"].endswith("_FILE")}
    assert files.keys() == {"AUTH_TOKEN_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"}
    assert {folders[str(path.parent)] for path in files.values()} == {"token", "tls"}
    probes = [container[f"{kind}Probe"]["httpGet"]["scheme"] for kind in ("startup", "readiness", "liveness")]
    assert probes == ["HTTPS"] * 3


@pytest.mark.parametrize(
    ("options", "spoken"),
    [
        ("ingress.className=nginx", [None, "GRPC"]),
        ("tls.enabled=true", ["HTTPS", "GRPCS"]),
        ("ingress.className=traefik,tls.enabled=true", [None, None]),
        (r"ingress.grpc.annotations.nginx\.ingress\.kubernetes\.io/backend-protocol=GRPCS", [None, "GRPCS"]),
    ],
)
def test_an_ingress_speaks_what_the_service_does(options: str, spoken: list[str | None]) -> None:
    rendered = template(
        "--set=ingress.enabled=true,ingress.host=a.example.com,ingress.grpc.host=b.example.com", f"--set={options}"
    )
    found = [
        rendered["Ingress", name]["metadata"].get("annotations", {}) for name in ("flight-delay", "flight-delay-grpc")
    ]
    assert [one.get("nginx.ingress.kubernetes.io/backend-protocol") for one in found] == spoken


def test_two_releases_share_a_namespace_and_nothing_else() -> None:
    first, second = (template(*values("values-production.yaml"), name=name) for name in ("flights", "houses"))
    assert not first.keys() & second.keys()
    for mine, others in ((first, second), (second, first)):
        for who, selector in find_selectors(mine):
            assert matches(selector, pod_labels(mine)), who
            assert not matches(selector, pod_labels(others)), who
    assert find_scraped(first) == [{"job": "flights", "app_kubernetes_io_name": "ekiben"}]


def test_other_settings_start_new_replicas_and_another_chart_does_not(tmp_path: Path) -> None:
    def pods(*options: str, chart: Path = CHART) -> Any:
        documents = yaml.safe_load_all(helm("template", "flight-delay", str(chart), *options))
        return next(one["spec"]["template"] for one in documents if one and one["kind"] == "Deployment")

    shutil.copytree(CHART, tmp_path / "ekiben")
    path = tmp_path / "ekiben" / "Chart.yaml"
    path.write_text(path.read_text().replace(f"version: {VERSION}", "version: 99.0.0"))
    assert pods("--set=settings.MAX_WAIT_S=0.4") != pods() == pods(chart=tmp_path / "ekiben")


def test_the_chart_has_the_version_of_the_service() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == VERSION


def test_the_notes_are_commands_of_this_release() -> None:
    notes = helm("install", "--dry-run=client", "houses", str(CHART), "--set=tls.enabled=true,token.enabled=true")
    notes = notes.partition("NOTES:")[2]
    assert "port-forward service/houses 8080:8080" in notes
    assert 'curl --insecure --header "Authorization: Bearer $TOKEN" https://localhost:8080/docs.json' in notes
    assert "helm --namespace default rollback houses" in notes
