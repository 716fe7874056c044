"""Packs the network, logs the package with the run, and registers it as a version."""

import json
from dataclasses import replace

import mlflow

from ekiben.contract.errors import UserError
from ekiben.model.provenance import Definition, GateResult
from ekiben.model.store import DIGEST_LABEL
from ekiben.model.training_scores import EVALUATION_FILE, load_training_scores
from ekiben.pipeline.records.record import StepRecord
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.evaluate import load_trained
from ekiben.pipeline.steps.table import prepare_decided
from ekiben.pipeline.steps.train import DEFINITION, LINEAGE, describe_making
from ekiben.training.packing import pack_and_register
from ekiben.training.registry import tracking
from ekiben.training.train import open_runs

BUILDS_ON = ("ingest", "train", "evaluate")
GATED = False
OPTIONS: tuple[str, ...] = ()
MANIFEST = "manifest"
BEFORE = ("check", "validate")  # the steps whose gates decided already


class VersionGone(UserError):
    """A registered version is gone, or has another package."""


def find_inputs(given: Given) -> dict[str, str]:
    """Return nothing: the table and the network are all."""
    return {}


def run(given: Given) -> Made:
    """Pack and register."""
    problem, prepared = prepare_decided(given)
    trained = load_trained(given, prepared)
    scores = load_training_scores(given.find("evaluate", EVALUATION_FILE))
    lineage = json.loads(given.find("train", LINEAGE).read_bytes())
    fitted = describe_making(given, problem, prepared, given.before["train"].options)
    definition = Definition.model_validate_json(given.find("train", DEFINITION).read_bytes())
    gates = [GateResult(**one.model_dump()) for step in BEFORE for one in given.before[step].verdicts]
    made_of = replace(fitted, gates=gates, definition=definition)
    open_runs(problem.name)
    with mlflow.start_run(run_id=given.run_id):
        tracking.tag_process()
        version = pack_and_register(made_of, prepared, trained, scores, lineage)
    digest = tracking.get_version(problem.name, version).tags[DIGEST_LABEL]
    sentence = f"version {version} of {problem.name} is registered"
    return Made(sentence, outputs={MANIFEST: digest}, mlflow_run=given.run_id, version=version)


def check(given: Given, record: StepRecord) -> None:
    """Raise VersionGone unless the registry has the version with this package."""
    found = tracking.find_versions(given.problem.name) if tracking.connect() else []
    tags = next((one.tags for one in found if str(one.version) == record.version), {})
    if tags.get(DIGEST_LABEL) != record.outputs[MANIFEST]:
        raise VersionGone(f"version {record.version} of {given.problem.name} is gone from MLflow")
