"""The examples beside the overlays: routes are the chart's, and Prometheus answers what a canary is judged by."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import Server, wait_until
from tests.deploy.helm import HELMS_OWN, needs_helm, template, without
from tests.deploy.kubernetes_schemas import validate
from tests.deploy.kustomize import KUBERNETES
from tests.deploy.prometheus import PROMETHEUS, query, watch
from tests.deploy.test_dashboards import ask
from tests.deploy.test_manifests import DEFAULTS, read

EXAMPLES = KUBERNETES / "examples"
NEW_POD = "flight-delay-6f9c8d7b5-x2k4q"
# What each controller writes into a query before it asks.
FILLED = {
    "{{args.namespace}}": "default", "{{args.hash}}": "6f9c8d7b5",
    "{{ namespace }}": "default", "{{ target }}": "flight-delay", "{{ interval }}": "2m",
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    return read(EXAMPLES / name)


def queries() -> dict[str, str]:
    """Return every query of the examples, as its controller asks it."""
    (analysis,) = (one for one in documents("argo-rollouts.yaml") if one["kind"] == "AnalysisTemplate")
    found = {f"argo {one['name']}": one["provider"]["prometheus"]["query"] for one in analysis["spec"]["metrics"]}
    templates = (one for one in documents("flagger.yaml") if one["kind"] == "MetricTemplate")
    found |= {one["metadata"]["name"]: one["spec"]["query"] for one in templates}
    (scaled,) = documents("keda.yaml")
    found |= {f"keda {index}": one["metadata"]["query"] for index, one in enumerate(scaled["spec"]["triggers"])}
    (shown,) = re.findall(r"```promql\n(.*?)```", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return {name: fill(expression, FILLED) for name, expression in {**found, "by version": shown}.items()}


def fill(expression: str, values: dict[str, str]) -> str:
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    assert "{{" not in expression
    return expression


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that sees the service as a new replica of a canary."""
    labels = {"namespace": "default", "pod": NEW_POD}
    target = {"targets": [server.url.removeprefix("http://")], "labels": labels}
    with watch(
        tmp_path_factory.mktemp("prometheus"),
        {"scrape_configs": [{"job_name": "flight-delay", "static_configs": [target]}]},
    ) as address:
        yield address


@pytest.mark.slow
@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")
def test_prometheus_answers_what_a_canary_is_judged_by(prometheus: str, server: Server, model: PackedModel) -> None:
    def find_empty() -> list[str]:
        ask(server, model)
        answers = {name: query(prometheus, expression) for name, expression in queries().items()}
        return [name for name, answer in answers.items() if not answer or answer[0]["value"][1] == "NaN"]

    wait_until(lambda: not find_empty(), lambda: f"no answer: {find_empty()}")
    asked = queries()
    shares = {name: float(query(prometheus, one)[0]["value"][1]) for name, one in asked.items() if "-share" in name}
    assert all(0 < share < 1 for name, share in shares.items() if "shed" in name)  # `ask` has every second one rejected
    assert [share for name, share in shares.items() if "error" in name] == [0, 0]
    # Of the replicas before it they say nothing.
    others = [expression.replace("6f9c8d7b5", "5d4f7c9b8") for name, expression in asked.items() if "argo" in name]
    assert [query(prometheus, expression) for expression in others] == [[]] * 4


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("argo asked", ["flight-delay-5d4f7c9b8-9zq7w", "flight-delays-6f9c8d7b5-x2k4q"]),
        ("flight-delay-p99-seconds", ["flight-delay-primary-6f9c8d7b5-x2k4q", "flight-delays-6f9c8d7b5-x2k4q"]),
    ],
)
def test_a_canary_is_judged_by_its_own_pods(name: str, others: list[str]) -> None:
    pattern = find_pods(queries()[name])
    assert re.fullmatch(pattern, NEW_POD)
    assert not any(re.fullmatch(pattern, pod) for pod in others)


def find_pods(expression: str) -> str:
    """Return the pattern of pods that a query asks for."""
    (pattern,) = set(re.findall(r'pod=~"([^"]*)"', expression))
    return pattern


@needs_helm
@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "gateway.yaml",
            "gateway.enabled=true,gateway.parentRefs[0].name=public,gateway.parentRefs[0].namespace=gateways,"
            "gateway.hostnames[0]=flight-delay.example.com,gateway.grpcHostnames[0]=flight-delay-grpc.example.com",
        ),
        (
            "ingress.yaml",
            "ingress.enabled=true,ingress.host=flight-delay.example.com,"
            "ingress.tlsSecretName=flight-delay-example-com,ingress.grpc.host=flight-delay-grpc.example.com,"
            "ingress.grpc.tlsSecretName=flight-delay-grpc-example-com",
        ),
    ],
)
def test_the_routes_are_the_charts(name: str, options: str) -> None:
    rendered = template(f"--set={options}")
    for document in documents(name):
        made = rendered[document["kind"], document["metadata"]["name"]]
        assert without(made, *HELMS_OWN) == without(document)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_what_kubernetes_itself_knows_is_taken(path: Any) -> None:
    for document in read(path):
        if document["apiVersion"].startswith(("networking.k8s.io", "apps", "v1")):
            validate(document)
        elif document["kind"] != "MetricTemplate":
            assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "flight-delay"


def test_they_name_objects_and_ports_that_the_base_has() -> None:
    (deployment,) = read(KUBERNETES / "base" / "deployment.yaml")
    rollout, analysis = documents("argo-rollouts.yaml")
    canary, *_ = documents("flagger.yaml")
    (scaled,) = documents("keda.yaml")
    targets = (rollout["spec"]["workloadRef"], canary["spec"]["targetRef"], scaled["spec"]["scaleTargetRef"])
    assert {one["name"] for one in targets} == {deployment["metadata"]["name"]}
    assert rollout["spec"]["selector"] == deployment["spec"]["selector"]
    (used,) = rollout["spec"]["strategy"]["canary"]["analysis"]["templates"]
    assert used["templateName"] == analysis["metadata"]["name"]
    given = {one["name"] for one in rollout["spec"]["strategy"]["canary"]["analysis"]["args"]}
    assert given == {one["name"] for one in analysis["spec"]["args"] if "value" not in one}
    made = {one["metadata"]["name"] for one in documents("flagger.yaml") if one["kind"] == "MetricTemplate"}
    assert {one["templateRef"]["name"] for one in canary["spec"]["analysis"]["metrics"]} == made
    assert canary["spec"]["service"]["port"] == DEFAULTS["port"]


def test_flaggers_copy_is_guarded_as_the_service_is_and_keda_scales_as_the_autoscaler() -> None:
    (ours,) = read(KUBERNETES / "base" / "networkpolicy.yaml")
    (copied,) = (one for one in documents("flagger.yaml") if one["kind"] == "NetworkPolicy")
    assert copied["spec"].pop("podSelector") != ours["spec"].pop("podSelector")
    assert copied["spec"] == ours["spec"]
    (scaled,) = documents("keda.yaml")
    (autoscaler,) = read(KUBERNETES / "production" / "hpa.yaml")
    assert scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == autoscaler["spec"]["behavior"]
    numbers = [one["metadata"]["threshold"] for one in scaled["spec"]["triggers"]]
    pods = (one["pods"] for one in autoscaler["spec"]["metrics"] if one["type"] == "Pods")
    assert numbers == [one["target"]["averageValue"] for one in pods]
    assert scaled["spec"]["maxReplicaCount"] == autoscaler["spec"]["maxReplicas"]
