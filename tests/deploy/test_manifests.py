"""deploy/ is what its platforms take, and says of the service what the service says of itself."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import httpx
import kubernetes_validate
import psutil
import pytest

from ekiben.service.grpc.health import LIVENESS, READINESS
from ekiben.service.lifecycle import drain, healthcheck
from ekiben.service.lifecycle.platform import SIGNS
from ekiben.service.lifecycle.resource_limits import SUPERVISOR_MIB, WORKER_MIB
from tests.conftest import ROOT, Server, free_port, run, wait_until
from tests.deploy.kubernetes_schemas import validate
from tests.deploy.manifests import CHART, DEFAULTS, DEPLOY, KUBERNETES, read
from tests.deploy.page_script import PLATFORMS
from tests.http_client import HTTP
from tests.postgres import POSTGRES, running_postgres

RESOURCES = sorted(
    path for folder in ("base", "production", "retrain") for path in KUBERNETES.glob(f"{folder}/[!k]*.yaml")
)
# What changes the base, tests/deploy/test_kubernetes.py renders.
PATCHES = {KUBERNETES / folder for folder in ("small", "sized", "alerts")}
# What trains: tests/deploy/test_retraining.py, test_kubeflow.py and test_airflow.py.
TRAINING = {KUBERNETES / "retrain", DEPLOY / "kubeflow", DEPLOY / "sagemaker" / "pipeline.json"}
PORTS = {DEFAULTS["port"], DEFAULTS["grpc_port"]}


def files() -> list[Path]:
    """Return the files that say how the service is run."""
    found = (path for path in DEPLOY.rglob("*") if path.suffix in {".yaml", ".yml", ".json"})
    kept = (path for path in found if CHART not in path.parents)  # templates, which are no YAML yet
    return sorted(path for path in kept if TRAINING.union(PATCHES).isdisjoint({path, path.parent}))


def name(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


def find(tree: Any, *keys: str) -> Iterator[Any]:
    """Yield every value that stands under one of the keys, at any depth."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in keys:
                yield value
            yield from find(value, *keys)
    elif isinstance(tree, list):
        for item in tree:
            yield from find(item, *keys)


def find_in_all(*keys: str) -> Iterator[Any]:
    for path in files():
        for document in read(path):
            yield from find(document, *keys)


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    (deployment,) = read(KUBERNETES / "base" / "deployment.yaml")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


# Each platform's own schema


@pytest.mark.parametrize("path", RESOURCES, ids=name)
def test_kubernetes_takes_every_manifest(path: Path) -> None:
    for document in read(path):
        validate(document)


def test_a_manifest_with_a_wrong_field_is_not_taken() -> None:
    (deployment,) = read(KUBERNETES / "base" / "deployment.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment)


def test_compose_takes_the_file() -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8")
    filled = re.sub(r"\$\{\w+(?::-([^}]*))?(?::\?[^}]*)?\}", lambda variable: variable[1] or "secret", text)
    filled = filled.replace("host-gateway", "172.17.0.1")  # Docker's word for this, which the library doesn't know
    compose_spec.PyCompose.from_yaml(filled).to_spec()
    with pytest.raises(ValueError, match="readonly"):
        compose_spec.PyCompose.from_yaml(filled.replace("read_only", "readonly"))


def test_compose_mounts_what_is_there() -> None:
    (compose,) = read(DEPLOY / "compose" / "compose.yaml")
    mounts = [mount.split(":")[0] for service in compose["services"].values() for mount in service.get("volumes", [])]
    assert {mount for mount in mounts if not mount.startswith(".")} == compose["volumes"].keys()
    assert all((DEPLOY / "compose" / mount).exists() for mount in mounts if mount.startswith("."))
    assert all(":latest" not in service.get("image", "") for service in compose["services"].values())


def test_mlflow_is_the_one_that_training_uses_hash_checked() -> None:
    asked = re.findall(r"^([a-z]+)", (DEPLOY / "compose" / "mlflow.in").read_text(), flags=re.MULTILINE)
    locked, training = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), flags=re.MULTILINE))
        for path in (DEPLOY / "compose" / "mlflow.txt", ROOT / "requirements" / "training.txt")
    )
    assert asked == ["mlflow", "psycopg"]
    assert {*asked, "psycopg-binary"} <= locked.keys()
    assert {package: training.get(package) for package in locked} == locked
    dockerfile = (DEPLOY / "compose" / "mlflow.Dockerfile").read_text()
    assert dockerfile.count('"install"') == 2  # of packages, and of the folder
    assert '"--require-hashes", "--no-deps"' in dockerfile


# What the service is


def test_every_file_names_the_same_image(pod: dict[str, Any]) -> None:
    ours = pod["containers"][0]["image"]
    others = {"prom/prometheus", "prom/alertmanager", "grafana/grafana", "postgres"}
    images = set(find_in_all("image"))
    assert {one for one in images if one.rpartition(":")[0] not in others} == {ours, f"${{IMAGE:-{ours}}}"}


def test_every_port_is_one_that_the_service_has() -> None:
    assert set(find_in_all("containerPort", "--container-ports")) == PORTS
    probed = [probe["port"] for probe in find_in_all("httpGet", "grpc") if "port" in probe]
    assert set(probed) <= PORTS | {"http"}


@pytest.mark.slow
def test_every_probed_path_answers(server: Server) -> None:
    routes = [*find_in_all("httpGet"), *find_in_all("liveness_route", "readiness_route")]
    paths = {route["path"] for route in routes}
    assert healthcheck.PATH in paths
    for path in paths:
        assert HTTP.get(server.url + path).status_code == 200, path
    assert {probe["service"] for probe in find_in_all("grpc") if "service" in probe} == {LIVENESS, READINESS}


def test_every_variable_is_a_setting() -> None:
    (settings,) = read(KUBERNETES / "base" / "settings.yaml")
    variables = [variable["name"] for variables in find_in_all("env") for variable in variables]
    variables += settings["data"]
    assert {"DRAIN_DELAY_S", "GRPC_CONNECTION_AGE_S", "GRPC_ON_MAIN_PORT", "LOG_FORMAT"} == set(variables)
    assert {variable.lower() for variable in variables} <= DEFAULTS.keys()


def test_grpc_clients_move_on_while_kubernetes_drains() -> None:
    (settings,) = read(KUBERNETES / "base" / "settings.yaml")
    given = settings["data"]
    assert float(given["GRPC_CONNECTION_AGE_S"]) < float(given.get("DRAIN_DELAY_S", DEFAULTS["drain_delay_s"]))


def test_a_platform_waits_longer_than_the_service() -> None:
    (azure,) = read(DEPLOY / "azure-ml" / "deployment.yml")
    given_s = [azure["request_settings"]["request_timeout_ms"] / 1000]
    given_s += [next(find(*read(path), "timeout")) for path in (DEPLOY / "kserve").glob("*/service.yaml")]
    for path in (*(DEPLOY / "knative").glob("*/service.yaml"), *(DEPLOY / "cloud-run").glob("*.yaml")):
        given_s += [read(path)[0]["spec"]["template"]["spec"]["timeoutSeconds"]]
    assert len(given_s) == 7
    assert min(given_s) > DEFAULTS["request_timeout_s"]


def test_a_platform_lets_the_service_drain(pod: dict[str, Any]) -> None:
    (compose,) = find_in_all("stop_grace_period")
    (ecs,) = find_in_all("stopTimeout")
    for allowed_s in (pod["terminationGracePeriodSeconds"], ecs, int(compose.removesuffix("s"))):
        assert allowed_s > drain.FORCED_EXIT_S + 1 > DEFAULTS["drain_delay_s"]


def test_memory_is_enough_for_the_service_and_its_files(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    (files_mib,) = (int(volume["emptyDir"]["sizeLimit"].removesuffix("Mi")) for volume in pod["volumes"])
    given = {limits["memory"] for limits in find_in_all("limits")}
    assert given == {container["resources"]["limits"]["memory"]}
    assert int(given.pop().removesuffix("Mi")) >= SUPERVISOR_MIB + WORKER_MIB["litert"] + files_mib
    asked = container["resources"]["requests"]
    assert int(asked["memory"].removesuffix("Mi")) >= SUPERVISOR_MIB + WORKER_MIB["litert"]
    assert float(asked["cpu"]) >= 1  # ekiben.service.lifecycle.startup_report warns of less
    (task,) = read(DEPLOY / "ecs" / "task-definition.json")
    assert int(task["memory"]) >= SUPERVISOR_MIB + WORKER_MIB["litert"]


# Who gets in finds nothing to go on with


@pytest.mark.parametrize(
    "path",
    [
        "kubernetes/base/deployment.yaml",
        *(f"{platform}/{variant}/service.yaml" for platform in ("kserve", "knative") for variant in ("http", "grpc")),
    ],
)
def test_the_container_may_do_nothing_but_serve(path: str) -> None:
    (document,) = read(DEPLOY / path)
    (container,) = next(find(document, "containers"))
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert True in find(document, "runAsNonRoot")
    assert {"type": "RuntimeDefault"} in find(document, "seccompProfile")
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def test_nothing_of_the_host_or_the_cluster_is_handed_in(pod: dict[str, Any]) -> None:
    assert not list(find_in_all("privileged", "hostPath", "hostNetwork", "hostPID", "hostIPC", "network_mode", "pid"))
    assert pod["automountServiceAccountToken"] is False


def test_ecs_runs_it_as_kubernetes_does() -> None:
    (task,) = read(DEPLOY / "ecs" / "task-definition.json")
    (container,) = task["containerDefinitions"]
    assert container["user"] == f"{image_user()}:0"
    assert container["readonlyRootFilesystem"]
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert [mount["containerPath"] for mount in container["linuxParameters"]["tmpfs"]] == ["/tmp"]


def test_the_user_is_a_number_as_run_as_non_root_needs_and_no_one_on_the_node() -> None:
    assert image_user() >= 10_000
    for path in ("kubernetes/base/deployment.yaml", "ecs/README.md"):
        assert str(image_user()) in (DEPLOY / path).read_text(encoding="utf-8")


def image_user() -> int:
    (user,) = re.findall(r"^USER (\d+):0$", (DEPLOY / "image" / "Dockerfile.j2").read_text(), flags=re.MULTILINE)
    return int(user)


def test_an_image_is_one_version() -> None:
    assert all(re.search(r":v?\d[\w.-]*}?$", image) for image in find_in_all("image"))


def test_compose_lets_this_machine_in_and_its_containers_do_no_more_than_they_must() -> None:
    (compose,) = read(DEPLOY / "compose" / "compose.yaml")
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert {name for name, service in compose["services"].items() if service.get("read_only")} == {
        "ekiben", "prometheus", "alertmanager", "mlflow",
    }  # fmt: skip
    assert compose["services"]["postgres"]["user"] == "postgres"
    (user,) = re.findall(
        r"^USER (\d+):\d+$", (DEPLOY / "compose" / "mlflow.Dockerfile").read_text(), flags=re.MULTILINE
    )
    assert int(user) >= 10_000


def test_no_password_is_on_a_command_line() -> None:
    (compose,) = read(DEPLOY / "compose" / "compose.yaml")
    for name, service in compose["services"].items():
        given = {variable for variable, value in service.get("environment", {}).items() if "PASSWORD" in value}
        assert all(variable.endswith("PASSWORD") for variable in given), name
        service.pop("environment", None)
    assert "PASSWORD" not in json.dumps(compose)


@pytest.mark.slow
@pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not installed")
def test_mlflow_reaches_postgresql_and_no_process_shows_the_password(tmp_path: Path) -> None:
    """Compose's own command and variables, with a password that no URL takes as it is; one worker instead of four."""
    (compose,) = read(DEPLOY / "compose" / "compose.yaml")
    password, port = "p@ss:w/rd?#%41 x", free_port()
    command = [argument.replace("5000", str(port)) for argument in compose["services"]["mlflow"]["command"]]
    command = [argument.replace("/artifacts", str(tmp_path)) for argument in command]
    with running_postgres("mlflow", password) as address:
        variables = {
            name: password if "PASSWORD" in value else value.replace("@postgres/mlflow", f"@{address}/postgres")
            for name, value in compose["services"]["mlflow"]["environment"].items()
        }
        with (
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(
                [sys.executable, "-m", *command, "--workers=1"],
                env=os.environ | variables,
                cwd=tmp_path,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                wait_until(
                    lambda: answers(f"http://127.0.0.1:{port}/health"), (tmp_path / "log").read_text, within_s=120
                )
                one = psutil.Process(process.pid)
                lines = [" ".join(part.cmdline()) for part in (one, *one.children(recursive=True))]
                called = {
                    host: HTTP.post(
                        f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/create",
                        json={"name": f"tried by {host}"}, headers={"Host": f"{host}:{port}"}, timeout=30,
                    )
                    for host in ("mlflow", "localhost", "127.0.0.1", "rebound.example")
                }  # fmt: skip
            finally:
                process.terminate()
    statuses = {host: answer.status_code for host, answer in called.items()}
    assert statuses == {"mlflow": 200, "localhost": 200, "127.0.0.1": 200, "rebound.example": 403}
    assert len(lines) > 1
    assert not any("p@ss" in line for line in lines)
    assert "p@ss" not in (tmp_path / "log").read_text()


def answers(url: str) -> bool:
    try:
        return HTTP.get(url).status_code == 200
    except httpx.TransportError:
        return False


# What belongs together


def test_no_service_link_can_be_taken_for_a_setting(pod: dict[str, Any]) -> None:
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("path", ["knative/{}/service.yaml", "cloud-run/{}.yaml"])
def test_grpc_differs_from_http_only_where_it_must(path: str) -> None:
    plain, over_grpc = (read(DEPLOY / path.format(variant))[0] for variant in ("http", "grpc"))
    (port,) = find(plain, "ports")
    (grpc_port,) = find(over_grpc, "ports")
    assert (port[0]["name"], grpc_port[0]["name"]) == ("http1", "h2c")
    assert port[0]["containerPort"] == grpc_port[0]["containerPort"] == DEFAULTS["port"]
    assert {"name": "GRPC_ON_MAIN_PORT", "value": "1"} in next(find(over_grpc, "env"))
    assert not any(find(over_grpc, "httpGet"))
    for key in ("resources", "metadata", "containerConcurrency", "timeoutSeconds"):
        ours, theirs = list(find(plain, key)), list(find(over_grpc, key))
        assert json.dumps(ours) == json.dumps(theirs).replace("flight-delay-grpc", "flight-delay")


@pytest.mark.parametrize(("variant", "port"), [("http", DEFAULTS["port"]), ("grpc", DEFAULTS["grpc_port"])])
def test_kserve_finds_the_container_and_its_one_port(variant: str, port: int) -> None:
    (service,) = read(DEPLOY / "kserve" / variant / "service.yaml")
    (container,) = service["spec"]["predictor"]["containers"]
    assert container["name"] == "kserve-container"
    assert [one["containerPort"] for one in container["ports"]] == [port]


@pytest.mark.slow
def test_a_container_asks_for_its_health_as_ecs_and_compose_say(server: Server) -> None:
    commands = {tuple(next(find(check, "command", "test"))) for check in find_in_all("healthCheck")}
    (compose,) = read(DEPLOY / "compose" / "compose.yaml")
    commands.add(tuple(compose["services"]["ekiben"]["healthcheck"]["test"]))
    assert commands == {("CMD", "python", "-m", "ekiben.service", "healthcheck")}
    assert run("-m", "ekiben.service", "healthcheck", PORT=server.url.rpartition(":")[2]).stdout == ""


# What is said of it


def test_the_readme_lists_every_folder() -> None:
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    folders = {path.name for path in DEPLOY.iterdir() if path.is_dir()} - {
        "image",
        "monitoring",
        "__pycache__",
    }  # of all
    assert set(re.findall(r"^\| \[.*?\]\((.*?)/\)", readme, flags=re.MULTILINE)) == folders
    assert {platform.name for _, platform in SIGNS} <= set(re.findall(r"`platform: ([^`]*)`", readme))


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(DEPLOY.glob("*/README.md")) if path.parent.name not in {*PLATFORMS, "compose"}],
    ids=name,
)
def test_every_readme_has_three_commands_and_names_every_file(path: Path) -> None:
    readme = path.read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```sh\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    joined = commands.replace("\\\n", " ")
    assert len(joined.splitlines()) == 3
    for named in re.findall(r"(?:file://|-f |--flags-file=|--file |replace |-k )([\w./-]+)", joined):
        assert (ROOT / named).exists(), named
