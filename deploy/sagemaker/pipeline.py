"""Ekiben's steps as a SageMaker pipeline: `python -m ekiben.deploy.sagemaker.pipeline` writes pipeline.json beside it.

A step is a processing job of the training image. SageMaker copies the home from S3 before it and back after it, and
hands on the key of its record, which the step prints. A gate that says stop ends the execution as failed.
"""

import json
from pathlib import Path
from typing import Any

from ekiben.pipeline.steps import STEPS

DEFINITION = Path(__file__).with_name("pipeline.json")
IMAGE = "registry.example.com/ekiben-training:1"  # TO BE REPLACED by yours
ROLE = "arn:aws:iam::123456789012:role/sagemaker-execution"  # TO BE REPLACED by yours
HOME, OUTCOME = "/opt/ml/processing/home", "/opt/ml/processing/outcome"
PARAMETERS = {
    "Home": "s3://ekiben-example/home",  # TO BE REPLACED by yours
    "Event": '{"reason": "manual"}',
    "InstanceType": "ml.m7i.large",
}
COMMAND = f'ekiben step "$@" >{OUTCOME}/outcome.json'


def describe_pipeline() -> dict[str, Any]:
    """Return the definition that CreatePipeline takes."""
    parameters = [{"Name": name, "Type": "String", "DefaultValue": value} for name, value in PARAMETERS.items()]
    steps = [describe_step(name, before) for name, before in zip(STEPS, (None, *STEPS), strict=False)]
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": steps}


def describe_step(name: str, before: str | None) -> dict[str, Any]:
    """Return a step that follows another one."""
    outcome = {"PropertyFileName": "Outcome", "OutputName": "outcome", "FilePath": "outcome.json"}
    return {
        "Name": name,
        "Type": "Processing",
        **({"DependsOn": [before]} if before else {}),
        "Arguments": describe_job(name, before),
        "PropertyFiles": [outcome],
    }


def describe_job(name: str, before: str | None) -> dict[str, Any]:
    """Return the request of CreateProcessingJob, but for the name that SageMaker gives it."""
    key = {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{before}.PropertyFiles.Outcome"}, "Path": "key"}}
    given = ["--after", key] if before else ["--event", parameter("Event")]
    cluster = {"InstanceType": parameter("InstanceType"), "InstanceCount": 1, "VolumeSizeInGB": 30}
    home = {"S3Uri": parameter("Home"), "LocalPath": HOME}
    kept = {
        "S3Uri": {"Std:Join": {"On": "/", "Values": [parameter("Home"), "outcomes", name]}},
        "LocalPath": OUTCOME,
        "S3UploadMode": "EndOfJob",
    }
    return {
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["sh", "-c", COMMAND, "ekiben"],
            "ContainerArguments": [name, *given],
        },
        "Environment": {"EKIBEN_HOME": HOME, "BENTOML_HOME": f"{HOME}/bentoml"},
        "ProcessingInputs": [
            {"InputName": "home", "S3Input": {**home, "S3DataType": "S3Prefix", "S3InputMode": "File"}}
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "home", "S3Output": {**home, "S3UploadMode": "EndOfJob"}},
                {"OutputName": "outcome", "S3Output": kept},
            ]
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
    }


def parameter(name: str) -> dict[str, str]:
    """Return what stands for a parameter of the execution."""
    return {"Get": f"Parameters.{name}"}


def main() -> None:
    """Write the definition."""
    DEFINITION.write_text(json.dumps(describe_pipeline(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
