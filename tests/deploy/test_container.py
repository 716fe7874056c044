"""The image as platforms start it: their arguments, variables, users and signals; and every contract against it."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml

from ekiben.deploy.image.bento import read_base
from ekiben.deploy.image.build import BILL
from ekiben.deploy.image.sbom.python_packages import to_pypi_name
from ekiben.deploy.image.statements.inspect import MODELS, read_file, read_labels
from ekiben.model.package import GOLDEN_FILE, PROVENANCE_FILE, PackedModel
from tests.callers import CALLERS, Caller
from tests.conftest import PATIENCE_S, ROOT, free_port, run, wait_until
from tests.deploy import containers
from tests.deploy.bills import check_bill, properties
from tests.deploy.containers import ENVIRONMENT, IMAGE, Container, podman, start
from tests.deploy.kustomize import find_scraped, needs_kubectl, render, write_overlay
from tests.deploy.prometheus import PROMETHEUS, query, watch
from tests.deploy.rollout import Callers, forward
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

MAX_IMAGE_BYTES = 360 * 10**6
LOOK = Path(__file__).with_name("look.py")
LOCKED_DOWN = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
RANDOM_USER = "--user=1000730000:0"  # as OpenShift chooses one
VERTEX = {
    "AIP_MODE": "PREDICTION",
    "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/8",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/8:predict",
}


@pytest.fixture(scope="session")
def image(model: PackedModel) -> str:
    """The image of the trained model."""
    containers.prepare_podman()
    containers.make_image()
    return IMAGE


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[Container]:
    """One container, locked down as Kubernetes' restricted profile has it."""
    with start(options=(*LOCKED_DOWN, RANDOM_USER)) as running:
        yield running


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[dict[str, Any]]:
    golden: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:8]


def check_answer(container: Container, path: str, body: Any, key: str = "predictions") -> None:
    answered = HTTP.post(container.url + path, json=body)
    assert answered.status_code == 200, answered.text
    assert len(answered.json()[key]) == 1


def test_the_image_is_small_and_carries_what_serves_and_nothing_else(image: str) -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", image)) <= MAX_IMAGE_BYTES
    packages = ["tensorflow", "keras", "mlflow", "pandas", "ekiben.training", "pip", "setuptools", "ensurepip"]
    code = f"import importlib.util; print([name for name in {packages} if importlib.util.find_spec(name)])"
    assert podman("run", "--rm", "--entrypoint=python", image, "-c", code) == "[]"


def test_nothing_in_it_runs_but_python(image: str) -> None:
    """No shell, no package manager, no script, no setuid file: what gets in finds nothing to go on with."""
    look = "--entrypoint=python", "--user=0:0", f"--volume={LOOK}:/look.py:ro"
    found = json.loads(podman("run", "--rm", *look, image, "/look.py", "/"))
    assert found["setuid"] == found["writable"] == found["scripts"] == []
    assert [Path(path).name.rstrip("0123456789.") for path in found["programs"]] == ["python"]
    assert found["wheels"] == found["headers"] == []
    for shell in ("sh", "bash", "dash"):
        assert "not found" in podman("run", "--rm", f"--entrypoint={shell}", image, "-c", "true", fails=True)


def test_the_look_into_an_image_finds_what_the_base_has(image: str) -> None:
    look = "--entrypoint=python3", f"--volume={LOOK}:/look.py:ro"
    found = json.loads(podman("run", "--rm", *look, "docker.io/library/python:3.11-slim", "/look.py", "/"))
    assert {"/usr/bin/passwd", "/usr/bin/su"} <= set(found["setuid"])
    assert {"/usr/bin/dash", "/usr/bin/dpkg"} <= set(found["programs"])
    assert found["scripts"]
    assert found["wheels"]


def test_its_labels_say_what_it_holds(image: str, model: PackedModel) -> None:
    labels = json.loads(podman("image", "inspect", "--format", "{{json .Labels}}", image))
    assert labels["org.opencontainers.image.version"] == model.version
    assert labels["ekiben.run-id"] == model.manifest.run_id
    assert labels["ekiben.schema-digest"] == model.schema.digest
    assert len(labels["ekiben.data-digest"]) == 64
    named = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert named["revision"]
    assert datetime.fromisoformat(named["created"]).tzinfo
    assert named["description"].startswith(f"Version {model.version} of {model.name}, served by Ekiben")
    assert named["licenses"] == "Apache-2.0"
    assert named.get("source", "https://").startswith("https://")
    base = json.loads(podman("image", "inspect", named["base.name"]))[0]
    assert named["base.name"] == read_base()
    assert f"{named['base.name'].rpartition(':')[0]}@{named['base.digest']}" in base["RepoDigests"]
    assert podman("image", "inspect", "--format", "{{.User}}", image) == "10034:0"


def test_its_files_are_those_of_its_labels_and_lead_to_the_version(
    image: str, model: PackedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINERS_CONF", ENVIRONMENT["CONTAINERS_CONF"])
    engine, labels = read_labels(image)
    content = read_file(engine, image, f"{MODELS}/{model.name}/{model.version}/{PROVENANCE_FILE}")
    assert content
    assert labels["ekiben.provenance-digest"] == hashlib.sha256(content).hexdigest()
    assert read_file(engine, image, f"{MODELS}/{model.name}/nothing") is None
    printed = run("-m", "ekiben.commands", "lineage", image).stdout
    assert f"{PROVENANCE_FILE} {labels['ekiben.provenance-digest'][:12]}" in printed.splitlines()[0]
    assert printed.splitlines()[-1].startswith("the chain holds")


def test_its_bill_of_materials_is_what_is_installed(image: str, model: PackedModel) -> None:
    """Versions as Python's own metadata in the image has them; no package of dpkg without a file that is there."""
    content = podman("run", "--rm", "--entrypoint=python", image, "-c", f"print(open('{BILL}').read())")
    bill = check_bill(content)
    kept = ROOT / "dist" / f"{model.name}-{model.version}-litert.cdx.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == bill
    code = (
        "import json; from importlib.metadata import distributions as d; "
        "print(json.dumps({one.metadata['Name']: one.version for one in d()}))"
    )
    installed = json.loads(podman("run", "--rm", "--entrypoint=python", image, "-c", code))
    by_kind: dict[str, dict[str, Any]] = {"python": {}, "debian": {}}
    for component in bill["components"]:
        facts = properties(component)
        by_kind.setdefault(facts.get("kind", ""), {})[component["name"]] = component
        # Debian's `python3`, where it is the base's, is but a link.
        assert facts.get("files") != "0" or component["name"] == "python3-minimal", component
    versions = {name: component["version"] for name, component in by_kind["python"].items()}
    assert versions == {to_pypi_name(name): version for name, version in installed.items()}
    licensed = [name for name, component in by_kind["python"].items() if component.get("licenses")]
    assert len(licensed) > 0.9 * len(versions)
    assert "libc6" in by_kind["debian"]
    assert not {"dash", "apt", "dpkg", "perl-base", "passwd", "mount"} & by_kind["debian"].keys()


def test_the_record_of_its_build_is_of_this_image(image: str, model: PackedModel) -> None:
    path = ROOT / "dist" / f"{model.name}-{model.version}-litert.provenance.json"
    statement = json.loads(path.read_text(encoding="utf-8"))
    (subject,) = statement["subject"]
    assert subject == {"name": image, "digest": {"sha256": podman("image", "inspect", "--format", "{{.Id}}", image)}}
    _, labels = read_labels(image)
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert materials[0]["digest"]["sha256"] == labels["org.opencontainers.image.base.digest"].removeprefix("sha256:")


@pytest.mark.parametrize("caller", [pytest.param(call, id=", ".join(names)) for names, call in CALLERS.items()])
def test_every_client_gets_the_golden_answers(
    container: Any, model: PackedModel, rows: list[dict[str, Any]], caller: Caller
) -> None:
    golden = json.loads((model.path / GOLDEN_FILE).read_text())["answers"][: len(rows)]
    probabilities, _ = caller(container, model.schema, rows)
    assert probabilities == pytest.approx([answer[0] for answer in golden], abs=1e-5)


def test_it_says_where_it_runs_and_what_with(container: Container, model: PackedModel) -> None:
    run_of_model = f"model: flight_delay version {model.version}, run {model.manifest.run_id}"
    for line in (run_of_model, "platform: unknown", "ports: HTTP ", "engine: litert", "routes: POST /predict"):
        wait_until(lambda line=line: line in container.log, lambda: container.log)


def test_the_health_check_needs_nothing_but_the_image(container: Container) -> None:
    command = ("python", "-m", "ekiben.service", "healthcheck")
    assert container.execute(*command) == ""
    failed = podman("run", "--rm", f"--env=PORT={1}", IMAGE, "healthcheck", fails=True)
    assert failed.startswith("error: not ready: http://127.0.0.1:1/readyz does not answer")


def test_an_unknown_command_is_one_sentence(image: str) -> None:
    failed = podman("run", "--rm", image, "train", fails=True)
    assert failed == "error: unknown command `train`: serve [--option value …] or healthcheck"


def test_sagemaker_starts_it_as_root_with_serve(image: str, rows: list[dict[str, Any]]) -> None:
    with start("serve", options=("--user=0:0",)) as container:
        assert "platform: SageMaker (it was started with `serve`)" in container.log
        assert HTTP.get(f"{container.url}/ping", timeout=2).status_code == 200
        check_answer(container, "/invocations", {"instances": rows[:1]})
        headers = {"X-Amzn-SageMaker-Custom-Attributes": "any", "content-type": "application/json; charset=utf-8"}
        assert HTTP.post(f"{container.url}/invocations", json={"instances": rows}, headers=headers).status_code == 200
        assert container.stop() == 0


def test_vertex_names_the_routes_and_the_port(image: str, rows: list[dict[str, Any]]) -> None:
    with start(AIP_HTTP_PORT=str(free_port()), **VERTEX) as container:
        assert "platform: Vertex AI (AIP_MODE is set)" in container.log
        assert HTTP.get(container.url + VERTEX["AIP_HEALTH_ROUTE"]).status_code == 200
        check_answer(container, VERTEX["AIP_PREDICT_ROUTE"], {"instances": rows[:1], "parameters": {}})
        assert container.stop() == 0


def test_cloud_run_and_knative_give_one_port(image: str, model: PackedModel, rows: list[dict[str, Any]]) -> None:
    one_port = {"K_SERVICE": "flights", "K_REVISION": "flights-1", "GRPC_ON_MAIN_PORT": "1"}
    with start(options=("--read-only",), **one_port) as container:
        assert "platform: Cloud Run or Knative (K_SERVICE is set)" in container.log
        check_answer(container, "/v1/models/flight_delay:predict", {"instances": rows[:1]})
        shared: Any = Container(container.name, container.url, container.url.removeprefix("http://"))
        assert len(CALLERS["tritonclient.grpc", "infer, raw"](shared, model.schema, rows[:1])[0]) == 1
        assert container.stop() == 0


def test_azure_asks_for_the_routes_it_is_told(image: str, rows: list[dict[str, Any]]) -> None:
    with start(AZUREML_MODEL_DIR="/var/azureml-app/azureml-models/flight_delay/1") as container:
        assert "platform: Azure ML" in container.log
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert HTTP.get(container.url + path, timeout=2).status_code == 200
        check_answer(container, "/invocations", {"dataframe_records": rows[:1]})


def test_lambdas_adapter_waits_for_the_root_path(image: str) -> None:
    with start(options=("--read-only", "--user=993:990")) as container:  # a user and group nobody knows
        assert 100 <= HTTP.get(f"{container.url}/").status_code < 500


def test_an_unwritable_folder_is_one_sentence(image: str) -> None:
    failed = podman("run", "--rm", "--read-only", "--read-only-tmpfs=false", image, fails=True)
    assert failed == (
        "error: /tmp/bentoml can't be written to (Read-only file system): "
        "mount a writable folder, such as a tmpfs, on /tmp"
    )


def test_a_taken_port_is_one_sentence(container: Container) -> None:
    port = container.url.rpartition(":")[2]
    failed = podman("run", "--rm", f"--env=PORT={port}", "--env=GRPC_PORT=1", IMAGE, fails=True)
    assert f"port {port} can't be used (Address already in use): choose another with PORT=" in failed
    assert "Traceback" not in failed


def test_a_rolling_update_under_load_loses_no_request(image: str, model: PackedModel) -> None:
    """Old and new behind what a Service is; the old is told to stop a second before it gets no more connections."""
    body = json.dumps({"rows": [model.schema.example]}).encode()
    method = "/inference.GRPCInferenceService/ServerReady"
    # Well under the drain's time: every gRPC channel has moved to the new one before the old ends.
    settings = {"GRPC_CONNECTION_AGE_S": "1", "DRAIN_DELAY_S": "5"}
    with ExitStack() as stack:
        old, new = (stack.enter_context(start(**settings)) for _ in range(2))
        http, rpc = stack.enter_context(forward(port_of(old.url), port_of(old.grpc)))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http.port}"))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{rpc.port}"))

        def ask_http() -> None:
            answered = client.post("/predict", content=body, headers={"content-type": "application/json"})
            assert answered.status_code == 200

        def ask_grpc() -> None:
            channel.unary_unary(method)(b"", timeout=PATIENCE_S)

        with Callers(ask_http, ask_http, ask_grpc, ask_grpc) as callers:
            wait_until(lambda: callers.answered > 200)
            stopping = stack.enter_context(ThreadPoolExecutor()).submit(old.stop)
            wait_until(lambda: HTTP.get(f"{old.url}/readyz").status_code == 503)
            time.sleep(1)  # as long as the endpoints of a Service may take
            http.target, rpc.target = port_of(new.url), port_of(new.grpc)
            assert stopping.result() == 0
            answered = callers.answered
            wait_until(lambda: callers.answered > answered + 200)
        assert callers.failures == []


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


CHILDREN = "import psutil; print(*[child.pid for child in psutil.Process(1).children()])"


def test_it_is_one_process_whose_end_is_the_containers(container: Container, image: str) -> None:
    assert container.execute("python", "-c", CHILDREN) == ""
    with start() as running:
        podman("kill", "--signal", "KILL", running.name)
        assert podman("wait", running.name) == "137"  # as for memory: nobody is left to say why


def test_a_second_signal_ends_it_at_once(image: str) -> None:
    with start(DRAIN_DELAY_S="300") as running:
        for _ in range(2):
            podman("kill", "--signal", "TERM", running.name)
            wait_until(lambda: "SIGTERM: answering for 300 s more" in running.log)
        assert podman("wait", running.name) == "0"
        assert "asked to stop a second time" in running.log


def test_a_killed_worker_of_several_ends_the_container(image: str) -> None:
    with start(WORKERS="2") as running:
        worker, _ = running.execute("python", "-c", CHILDREN).split()
        running.execute("python", "-c", f"import os; os.kill({worker}, 9)")
        assert podman("wait", running.name) == "1"
        assert f"worker {worker} was killed by signal 9 (SIGKILL)" in running.log
        assert ": the service stops" in running.log


@needs_kubectl
def test_two_models_run_side_by_side_as_kubernetes_would_run_them(
    image: str, rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """podman reads what kubectl renders: security contexts, limits, settings, volumes, probes and ports."""
    networked = tmp_path / "containers.conf"  # a pod has a network of its own
    networked.write_text(containers.CONFIGURATION.replace('netns = "host"', ""))
    monkeypatch.setitem(containers.ENVIRONMENT, "CONTAINERS_CONF", str(networked))
    names = ("flight-delay", "house-prices")
    with ExitStack() as stack:
        pods = {name: stack.enter_context(play(write_overlay(tmp_path, name, images=[OURS]))) for name in names}
        for name, pod in pods.items():
            wait_until(lambda pod=pod: containers.is_ready(pod), lambda pod=pod: pod.log, within_s=PATIENCE_S)
            check_answer(pod, "/predict", {"rows": rows[:1]})
            assert pod.execute("python", "-c", SETTING) == "2", name  # of the ConfigMap
        if PROMETHEUS:
            check_scraped(stack, tmp_path, pods)
        for pod in pods.values():
            assert pod.stop() == 0


OURS = {"name": "registry.example.com/flight-delay", "newName": f"localhost/{IMAGE.partition(':')[0]}", "newTag": "1"}
SETTING = "import os; print(os.environ['GRPC_CONNECTION_AGE_S'])"


@contextmanager
def play(overlay: Path) -> Iterator[Container]:
    """Run an overlay with podman, on free ports of this machine; podman leaves out what is no pod's."""
    documents = list(render(overlay).values())
    (deployment,) = (one for one in documents if one["kind"] == "Deployment")
    described = deployment["spec"]["template"]["spec"]["containers"][0]
    for port in described["ports"]:
        port["hostPort"] = free_port()  # else podman takes the container's
    http, rpc = (f"127.0.0.1:{port['hostPort']}" for port in described["ports"])
    manifest = overlay.with_suffix(".yaml")
    manifest.write_text(yaml.safe_dump_all(documents))
    podman("play", "kube", str(manifest))
    try:
        yield Container(f"{overlay.name}-pod-0-ekiben", f"http://{http}", rpc)
    finally:
        podman("play", "kube", "--down", str(manifest))


def check_scraped(stack: ExitStack, folder: Path, pods: dict[str, Container]) -> None:
    """Check that one Prometheus tells the models apart, by the labels that the ServiceMonitors give."""
    jobs = []
    for name, pod in pods.items():
        (labels,) = find_scraped(render(write_overlay(folder / "watched", name, "production")))
        job = labels.pop("job")
        targets = [{"targets": [pod.url.removeprefix("http://")], "labels": labels}]
        jobs.append({"job_name": job, "static_configs": targets})
    url = stack.enter_context(watch(folder, {"scrape_configs": jobs}))
    asked = 'count by (job) (ekiben_model_info{app_kubernetes_io_name="ekiben"} == 1)'
    wait_until(
        lambda: {one["metric"]["job"] for one in query(url, asked)} == pods.keys(), lambda: str(query(url, asked))
    )
    assert [one["value"][1] for one in query(url, asked)] == ["1", "1"]


def test_two_images_are_compared_file_by_file(image: str) -> None:
    compare = ("-m", "ekiben.deploy.image.compare", image)
    environment = containers.ENVIRONMENT
    assert run(*compare, image, **environment).stdout.endswith(" 0 of them differ, times apart\n")
    different = run(*compare, "docker.io/library/python:3.11-slim", fails=True, **environment)
    assert different.returncode == 1
    assert different.stdout.startswith("differs: (the configuration)\ndiffers: etc/")
    missing = run(*compare, "ekiben-absent:1", fails=True, **environment)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: podman create: ")
