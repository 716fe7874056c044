"""The chart is what `deploy/kubernetes` is, rendered by the real Helm, and says what is wrong with values."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from ekiben.contract.version import VERSION
from ekiben.service.settings import Settings
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
from tests.deploy.test_manifests import CHART, CUSTOM, validate

HELM = shutil.which("helm")
pytestmark = pytest.mark.skipif(not HELM, reason="helm is not installed: .ci/install-helm")

# Overlays, and the values that make the same.
SAME = {
    "single": ["values.yaml"],
    "small": ["values-small.yaml"],
    "production": ["values-production.yaml"],
    "sized": ["values-production.yaml", "values-sized.yaml"],
    "scale-to-zero": ["values-scale-to-zero.yaml"],
}
HELMS_OWN = ("app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/settings")
# What the chart sets by other values, or what would not be there any more when a pod ends.
FIXED = {"HOST", "PORT", "GRPC_PORT", "AUTH_TOKEN_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"}
HOUSES = "--set=image.repository=registry.example.com/house-prices"  # as another-model's kustomization says
DIGEST = "sha256:" + "0123456789abcdef" * 4


def helm(*arguments: str, fails: bool = False) -> str:
    """Run Helm, and return what it prints or, if it fails, complains of."""
    done = subprocess.run([str(HELM), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def values(*names: str) -> list[str]:
    return [f"--values={CHART / name}" for name in names]


def template(*options: str, name: str = "flight-delay") -> Rendered:
    """Return what `helm install` would send, by kind and name."""
    documents = [one for one in yaml.safe_load_all(helm("template", name, str(CHART), *options)) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}


def without(tree: Any, *keys: str) -> Any:
    """Return the tree without these keys, and without what is empty; lists of what has names in their order."""
    if isinstance(tree, dict):
        kept = {key: without(value, *keys) for key, value in tree.items() if key not in keys}
        return {key: value for key, value in kept.items() if value not in ({}, [], None)}
    if isinstance(tree, list):
        kept_items = [without(one, *keys) for one in tree]
        named = all(isinstance(one, dict) and "name" in one for one in kept_items)
        return sorted(kept_items, key=lambda one: str(one["name"])) if named else kept_items
    return tree


def complaint(*options: str) -> str:
    """Return the last line of what Helm says of values that it rejects."""
    lines = helm("template", "flight-delay", str(CHART), *options, fails=True).splitlines()
    return [line for line in lines if line and not line.startswith("Use --debug")][-1].strip()


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


def test_two_releases_share_a_namespace_and_nothing_else() -> None:
    first, second = (template(*values("values-production.yaml"), name=name) for name in ("flights", "houses"))
    assert not first.keys() & second.keys()
    for mine, others in ((first, second), (second, first)):
        for who, selector in find_selectors(mine):
            assert matches(selector, pod_labels(mine)), who
            assert not matches(selector, pod_labels(others)), who
    assert find_scraped(first) == [{"job": "flights", "app_kubernetes_io_name": "ekiben"}]


def test_a_setting_reaches_the_service_as_it_is_written() -> None:
    written = ["MAX_BODY_BYTES=8388608", "MAX_WAIT_S=0.4", "MONITORING=false", "OTEL_SERVICE_NAME=flights"]
    objects = template(*(f"--set=settings.{one}" for one in written))
    assert objects["ConfigMap", "flight-delay-settings"]["data"] == {
        "GRPC_CONNECTION_AGE_S": "2", "MAX_BODY_BYTES": "8388608", "MAX_WAIT_S": "0.4", "MONITORING": "0",
        "OTEL_SERVICE_NAME": "flights",
    }  # fmt: skip


def test_other_settings_start_new_replicas_and_another_chart_does_not(tmp_path: Path) -> None:
    def pods(*options: str, chart: Path = CHART) -> Any:
        documents = yaml.safe_load_all(helm("template", "flight-delay", str(chart), *options))
        return next(one["spec"]["template"] for one in documents if one and one["kind"] == "Deployment")

    shutil.copytree(CHART, tmp_path / "ekiben")
    path = tmp_path / "ekiben" / "Chart.yaml"
    path.write_text(path.read_text().replace(f"version: {VERSION}", "version: 99.0.0"))
    assert pods("--set=settings.MAX_WAIT_S=0.4") != pods() == pods(chart=tmp_path / "ekiben")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("image.tga=2", "'/image': additional properties 'tga' not allowed"),
        ("image.digest=1", "'/image/digest': got number, want string"),
        ("image.repository=example.com/a:1", "'/image/repository': 'example.com/a:1' does not match pattern"),
        ("replicas=one", "'/replicas': got string, want null or integer"),
        ("settings.MAX_WAITING_ROW=1", "'/settings': additional properties 'MAX_WAITING_ROW' not allowed"),
        ("settings.AUTH_TOKEN=secret", "'/settings': additional properties 'AUTH_TOKEN' not allowed"),
        ("settings.GRPC_PORT=9001", "'/settings': additional properties 'GRPC_PORT' not allowed"),
        ("gateway.enabled=true", "name yours in gateway.parentRefs"),
        ("ingress.enabled=true", "name yours in ingress.host"),
        ("scaleToZero.enabled=true", "name those that callers use in scaleToZero.hosts"),
        ("autoscaling.enabled=true,scaleToZero.enabled=true", "would work against each other: disable one"),
    ],
)
def test_a_value_that_is_wrong_is_one_sentence(option: str, sentence: str) -> None:
    assert sentence in complaint(f"--set={option}")


def test_every_value_has_a_type() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def untyped(given: Any, rule: dict[str, Any], path: str) -> Iterator[str]:
        if isinstance(given, dict) and rule.get("properties"):
            if rule.get("additionalProperties") is not False:
                yield path
            for key, value in given.items():
                yield from untyped(value, rule["properties"].get(key, {}), f"{path}.{key}")
        elif not {"type", "$ref", "enum", "anyOf"} & rule.keys():
            yield path

    given = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert list(untyped(given, schema, "")) == []
    assert list(untyped({**given, "colour": "red"}, schema, "")) == [".colour"]


def test_the_schema_lists_every_setting_that_is_no_secret() -> None:
    """A new setting goes into `definitions.settings.properties`; without it, nobody can set it by the chart."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    fields = Settings.model_fields.items()
    settings = {name.upper() for name, field in fields if field.annotation is not SecretStr}
    assert schema["definitions"]["settings"]["properties"].keys() == settings - FIXED


def test_the_chart_has_the_version_of_the_service() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == VERSION


def test_the_notes_are_commands_of_this_release() -> None:
    notes = helm("install", "--dry-run=client", "houses", str(CHART), "--set=tls.enabled=true,token.enabled=true")
    notes = notes.partition("NOTES:")[2]
    assert "port-forward service/houses 8080:8080" in notes
    assert 'curl --insecure --header "Authorization: Bearer $TOKEN" https://localhost:8080/docs.json' in notes
    assert "helm --namespace default rollback houses" in notes
