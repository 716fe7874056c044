"""The Kubeflow pipeline: the YAML in the repository is what the code compiles to, and KFP's own runner runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict, ParseError
from kfp import compiler, components
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

from ekiben.deploy.kubeflow.pipeline import COMPILED, MOUNT, VOLUME, conclude, name_component, retrain
from ekiben.pipeline.steps import STEPS
from tests.conftest import ROOT
from tests.deploy.parcels import variables_of, write_parcels

RUN_S = 1200  # a minute on a quiet machine


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    """The pipeline, and what Kubernetes is to know of it."""
    return list(yaml.safe_load_all(COMPILED.read_text(encoding="utf-8")))


def test_the_yaml_is_what_the_code_compiles_to(tmp_path: Path) -> None:
    compiler.Compiler().compile(retrain, str(tmp_path / "pipeline.yaml"))
    assert (tmp_path / "pipeline.yaml").read_bytes() == COMPILED.read_bytes(), "compile it: see its README"


def test_kubeflow_knows_every_field(documents: list[dict[str, Any]]) -> None:
    pipeline, kubernetes = documents
    parsed = ParseDict(pipeline, PipelineSpec())
    assert {name for name in parsed.components if "-condition-" not in name} == {
        *(f"comp-{name}" for name in STEPS), "comp-conclude", "comp-exit-handler-1",
    }  # fmt: skip
    ParseDict(kubernetes, PlatformSpec())
    with pytest.raises(ParseError, match="taskz"):
        ParseDict({"root": {"dag": {"taskz": {}}}}, PipelineSpec())


def test_each_step_follows_the_one_before_where_that_said_go(documents: list[dict[str, Any]]) -> None:
    tasks, found = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"], []
    while tasks:
        (name,) = (name for name in tasks if not name.startswith("condition-"))
        found.append((name, tasks[name]["inputs"]["parameters"]["name"]["runtimeValue"]["constant"]))
        assert "enableCache" not in tasks[name]["cachingOptions"]  # false is the protobuf's default
        later = [tasks[other] for other in tasks if other != name]
        for condition in later:
            asked = condition["triggerPolicy"]["condition"]
            assert asked == f"inputs.parameter_values['pipelinechannel--{name}-Output'] == 'go'"
        tasks = documents[0]["components"][later[0]["componentRef"]["name"]]["dag"]["tasks"] if later else {}
    assert found == [(name, name) for name in STEPS]


def test_every_task_sees_the_shared_folder(documents: list[dict[str, Any]]) -> None:
    executors = documents[0]["deploymentSpec"]["executors"]
    mounted = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert mounted.keys() == executors.keys()
    assert {(one["pvcMount"][0]["constant"], one["pvcMount"][0]["mountPath"]) for one in mounted.values()} == {
        (VOLUME, MOUNT)
    }
    dockerfile = (ROOT / "deploy/image/training.Dockerfile").read_text(encoding="utf-8")
    assert f"EKIBEN_HOME={MOUNT} " in dockerfile
    (claim, job) = yaml.safe_load_all((ROOT / "deploy/kubernetes/retrain/volume.yaml").read_text(encoding="utf-8"))
    assert claim["metadata"]["name"] == VOLUME
    assert job["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == VOLUME


@pytest.mark.parametrize("component", [name_component("train"), conclude], ids=["step", "conclude"])
def test_a_component_can_be_used_in_other_pipelines(component: Any, tmp_path: Path) -> None:
    compiler.Compiler().compile(component, str(tmp_path / "component.yaml"))
    loaded = components.load_component_from_file(str(tmp_path / "component.yaml"))
    assert loaded.component_spec.inputs.keys() == component.component_spec.inputs.keys()


def test_a_component_is_one_call_of_the_command(documents: list[dict[str, Any]]) -> None:
    for name, executor in documents[0]["deploymentSpec"]["executors"].items():
        code = executor["container"]["command"][-1]
        assert code.count('["ekiben", "step", name, *given]') == (name != "exec-conclude")
        assert "pip install" not in json.dumps(executor)


# Run for real


def run_locally(home: Path, *, fails: bool = False, **parameters: Any) -> str:
    """Run the YAML with KFP's local runner in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.deploy.local_kubeflow", COMPILED, home / "root",
         json.dumps(parameters)],
        cwd=ROOT, env=os.environ | variables_of(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=RUN_S,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def read_sentence(home: Path) -> str:
    """Return what the exit handler was left to say by the newest run."""
    kept = (home / "data" / "pipeline" / "kubeflow").iterdir()
    return max(kept, key=lambda path: path.stat().st_mtime_ns).read_text(encoding="utf-8")


def list_done(output: str) -> list[str]:
    return re.findall(r"Task .*?'(\w+)'.*? finished with status .*?SUCCESS", output)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the pipeline has run once, from its YAML."""
    home = tmp_path_factory.mktemp("kubeflow")
    write_parcels(home)
    (home / "output").write_text(run_locally(home, event='{"reason": "manual"}', rows=400, epochs=1))
    return home


@pytest.mark.slow
def test_the_yaml_runs_to_a_champion(home: Path) -> None:
    assert list_done((home / "output").read_text()) == [*STEPS, "conclude"]
    assert read_sentence(home).startswith("promote: version 1 is the champion of parcels")
    records = [json.loads(path.read_text()) for path in (home / "data/pipeline/records").glob("*.json")]
    assert {record["step"] for record in records} == set(STEPS)
    assert [record["event"] for record in records if record["step"] == "ingest"] == [{"reason": "manual"}]


@pytest.mark.slow
def test_a_bad_table_stops_at_its_gate_and_no_later_step_runs(home: Path) -> None:
    write_parcels(home, columns=3)  # without the weight
    assert list_done(run_locally(home)) == ["ingest", "check", "conclude"]
    assert "contradicts the schema of version 1" in read_sentence(home)


@pytest.mark.slow
def test_a_step_that_fails_fails_the_run_and_the_last_sentence_is_said_all_the_same(home: Path) -> None:
    said = run_locally(home, fails=True, problem=str(home / "absent.toml"))
    assert "absent.toml" in said
    assert list_done(said) == ["conclude"]
    assert "no step came to its end; the next step failed: its log says why" in said
