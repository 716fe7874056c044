"""What runs the pipeline on a platform's clock or engine: a CronJob, SageMaker's and Vertex AI's pipelines."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from ekiben.deploy.kubeflow.pipeline import IMAGE, MOUNT, VOLUME
from ekiben.deploy.sagemaker.pipeline import DEFINITION, PARAMETERS, ROLE, describe_pipeline, main
from ekiben.pipeline.commands import STOPPED
from ekiben.pipeline.steps import STEPS
from tests.conftest import ROOT

RETRAIN = ROOT / "deploy" / "kubernetes" / "retrain"
VERTEX = ROOT / ".venv-peers" / "vertex-ai"


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((RETRAIN / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    (cron,) = read("cronjob.yaml")
    spec: dict[str, Any] = cron["spec"]["jobTemplate"]["spec"]
    return spec


def test_the_cron_job_runs_the_pipeline_in_the_shared_folder(job: dict[str, Any]) -> None:
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][0] == "run"
    assert json.loads(container["args"][container["args"].index("--event") + 1]) == {"reason": "schedule"}
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["home"] == MOUNT
    assert {"name": "home", "persistentVolumeClaim": {"claimName": VOLUME}} in pod["volumes"]
    assert read("volume.yaml")[0]["metadata"]["name"] == VOLUME


def test_a_gate_that_said_no_is_not_asked_again(job: dict[str, Any]) -> None:
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [STOPPED])
    assert rule["onExitCodes"]["containerName"] == job["template"]["spec"]["containers"][0]["name"]


def test_what_trains_may_do_nothing_else(job: dict[str, Any]) -> None:
    for pod in (job["template"]["spec"], read("volume.yaml")[1]["spec"]["template"]["spec"]):
        (container,) = pod["containers"]
        assert container["image"] == IMAGE
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False


# SageMaker


def resolve(value: Any) -> Any:
    """Return what SageMaker would put in an expression's place."""
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return PARAMETERS[value["Get"].removeprefix("Parameters.")]
    if set(value) == {"Std:Join"}:
        return value["Std:Join"]["On"].join(resolve(value["Std:Join"]["Values"]))
    if set(value) == {"Std:JsonGet"}:
        return "a key"
    return {name: resolve(item) for name, item in value.items()}


def test_the_definition_is_what_the_code_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.deploy.sagemaker.pipeline.DEFINITION", tmp_path / "pipeline.json")
    main()
    assert (tmp_path / "pipeline.json").read_bytes() == DEFINITION.read_bytes()


def test_its_steps_are_the_pipelines_and_each_gets_the_key_of_the_one_before() -> None:
    steps = describe_pipeline()["Steps"]
    assert tuple(step["Name"] for step in steps) == STEPS
    assert [step.get("DependsOn") for step in steps] == [None, *([name] for name in STEPS[:-1])]
    for step, before in zip(steps[1:], STEPS, strict=False):
        name, option, key = step["Arguments"]["AppSpecification"]["ContainerArguments"]
        assert (name, option) == (step["Name"], "--after")
        found = key["Std:JsonGet"]["PropertyFile"]["Get"]
        assert found == f"Steps.{before}.PropertyFiles.{step['PropertyFiles'][0]['PropertyFileName']}"


@pytest.mark.slow
def test_aws_takes_the_pipeline_and_each_of_its_jobs() -> None:
    model = botocore.session.Session().get_service_model("sagemaker")
    create, process = (model.operation_model(name).input_shape for name in ("CreatePipeline", "CreateProcessingJob"))
    token = {"PipelineName": "ekiben", "RoleArn": ROLE, "ClientRequestToken": "0" * 32}
    request = token | {"PipelineDefinition": DEFINITION.read_text(encoding="utf-8")}
    assert ParamValidator().validate(request, create).generate_report() == ""
    for step in describe_pipeline()["Steps"]:
        job = resolve(step["Arguments"]) | {"ProcessingJobName": "given-by-sagemaker"}
        assert ParamValidator().validate(job, process).generate_report() == ""
        assert "Unknown parameter" in ParamValidator().validate(job | {"Colour": 1}, process).generate_report()


def test_the_shell_hands_the_step_on_and_keeps_its_outcome_and_its_code(tmp_path: Path) -> None:
    """The entry point as SageMaker starts it, with a command that says no."""
    given = describe_pipeline()["Steps"][1]["Arguments"]["AppSpecification"]
    command = tmp_path / "ekiben"
    command.write_text(f'#!/bin/sh\necho "$@"\nexit {STOPPED}\n')
    command.chmod(0o755)
    shell, option, line, name = given["ContainerEntrypoint"]
    line = line.replace("/opt/ml/processing/outcome", str(tmp_path))
    done = subprocess.run(
        [shell, option, line, name, *map(str, resolve(given["ContainerArguments"]))],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert done.returncode == STOPPED
    assert (tmp_path / "outcome.json").read_text() == "step check --after a key\n"


# Vertex AI


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("EKIBEN_VERTEX") != "1",
    reason="it installs Google's SDK: EKIBEN_VERTEX=1 python -m pytest tests/deploy/test_retraining.py",
)
def test_vertex_ai_takes_kubeflows_pipeline() -> None:
    if not (VERTEX / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VERTEX], check=True)
        pip = [VERTEX / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", ROOT / "deploy" / "vertex-ai" / "sdk.in"], check=True)
    script = [VERTEX / "bin" / "python", ROOT / "deploy" / "vertex-ai" / "retrain.py"]
    done = subprocess.run([*script, "--project=p", "--bucket=b"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    job = yaml.safe_load(done.stdout)
    assert job["runtimeConfig"]["parameterValues"]["home"] == "/gcs/b/home"
    assert job["pipelineSpec"]["components"].keys() >= {f"comp-{name}" for name in STEPS}
