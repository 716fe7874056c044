"""The image that trains: what the steps need is in it, and Kubeflow's own command for a step runs there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiben.contract.version import VERSION
from ekiben.deploy.image.training import LOCK, build_command, collect
from ekiben.deploy.kubeflow.pipeline import COMPILED
from tests.conftest import ROOT
from tests.deploy import containers
from tests.deploy.containers import build, podman
from tests.deploy.parcels import write_parcels

IMAGE = "ekiben-training-tests:1"
LOCKED_DOWN = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
USER = 10034


def test_the_build_gets_what_the_dockerfile_names_and_no_tests(tmp_path: Path) -> None:
    collect(tmp_path)
    dockerfile = (ROOT / "deploy" / "image" / "training.Dockerfile").read_text(encoding="utf-8")
    copied = {line.split()[-2] for line in dockerfile.splitlines() if line.startswith("COPY")}
    assert copied == {path.name for path in tmp_path.iterdir()}
    assert "--require-hashes" in dockerfile
    assert (tmp_path / "pipeline.txt").read_bytes() == (ROOT / LOCK).read_bytes()
    rooms = {path.name for path in (tmp_path / "src").iterdir() if path.is_dir()}
    assert {"pipeline", "training", "commands", "requirements"} < rooms
    assert not {"tests", "data", ".venv", ".git"} & rooms
    assert not [*tmp_path.rglob("*.pyc"), *tmp_path.rglob(".env")]


def test_buildah_has_another_verb() -> None:
    assert [*map(build_command, ("podman", "buildah"))] == [["build"], ["bud"]]


@pytest.mark.slow
def test_without_a_builder_it_is_one_sentence() -> None:
    failed = build("--training", fails=True, PATH="/nowhere")
    assert failed.stderr == (
        "error: nothing that builds images is installed: install docker, podman, buildah or nerdctl\n"
    )


@pytest.fixture(scope="module")
def image() -> str:
    containers.prepare_podman()
    built = build("--training", "--tag", IMAGE, "--backend", "podman", "--opt", "network=host")
    assert IMAGE in built.stdout
    return IMAGE


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A volume with a project in it, as Kubernetes gives it to the image's group."""
    write_parcels(tmp_path)
    os.chown(tmp_path, 0, 0)
    tmp_path.chmod(0o2770)
    return tmp_path


def start(image: str, home: Path, *arguments: str, entrypoint: str = "ekiben") -> str:
    """Run a program of the image to its end as Kubernetes does, and return what it printed."""
    return podman(
        "run", "--rm", *LOCKED_DOWN, f"--volume={home}:/ekiben", f"--entrypoint={entrypoint}", image, *arguments
    )


@pytest.mark.slow
def test_it_runs_a_command_as_a_user_without_rights(image: str, home: Path) -> None:
    assert podman("run", "--rm", image, "--version") == f"ekiben {VERSION}"
    assert podman("image", "inspect", "--format", "{{.User}}", image) == f"{USER}:0"
    assert start(
        image, home, "-c", "import os; print(os.getuid(), os.access('/opt/src', os.W_OK))", entrypoint="python"
    ) == (f"{USER} False")


def describe_task(name: str, **given: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the command line of a component in the YAML, and what Kubeflow's driver puts in its placeholder."""
    pipeline = next(yaml.safe_load_all(COMPILED.read_text(encoding="utf-8")))
    container = pipeline["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
    inputs = dict.fromkeys(("problem", "after", "event", "home"), "") | {"rows": 0, "epochs": 0, "name": name} | given
    outputs = {
        "parameters": {output: {"outputFile": f"/ekiben/outputs/{output}"} for output in ("key", "Output")},
        "outputFile": "/ekiben/outputs/executor_output.json",
    }
    return [*container["command"], *container["args"]], {"inputs": {"parameterValues": inputs}, "outputs": outputs}


@pytest.mark.slow
def test_kubeflows_command_for_a_step_runs_in_it(image: str, home: Path) -> None:
    command, given = describe_task("ingest", event='{"reason": "manual"}', run="tried")
    line = [json.dumps(given) if part == "{{$}}" else part for part in command]
    printed = start(image, home, *line[1:], entrypoint=line[0])
    key = (home / "outputs" / "key").read_text()
    record = json.loads((home / "data/pipeline/records" / f"{key}.json").read_text())
    returned = json.loads((home / "outputs" / "executor_output.json").read_text())
    assert returned["parameterValues"] == {"Output": "go"}
    assert record["event"] == {"reason": "manual"}
    assert "400 rows" in printed
    assert (home / "data/pipeline/kubeflow/tried").read_text().startswith("ingest: 400 rows")
