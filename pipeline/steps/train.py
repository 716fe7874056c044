"""Fits a network to the kept table, in a run of MLflow's, and keeps its weights."""

import json
from collections.abc import Mapping
from typing import Any

import mlflow

from ekiben.contract.errors import UserError
from ekiben.pipeline.records.record import StepRecord
from ekiben.pipeline.step import Given, Made, describe_options
from ekiben.pipeline.steps.ingest import TABLE
from ekiben.pipeline.steps.table import DECISION, METRICS, REPORT, SCALE, prepare_table
from ekiben.training.decision import decide, log_decision
from ekiben.training.decision_learning import adopt
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.openlineage import tell_lineage
from ekiben.training.registry.presence import has_run
from ekiben.training.registry.provenance import Lineage, define
from ekiben.training.registry.run_logging import log_data
from ekiben.training.streaming.fitting import fit_prepared
from ekiben.training.target_scale import adopt_scale, log_scale
from ekiben.training.train import describe_lineage, open_runs
from ekiben.training.truth.training_table import LogTable

BUILDS_ON = ("ingest",)
GATED = False
OPTIONS = ("epochs", "seed")
NETWORK, LINEAGE, DEFINITION = "network.keras", "lineage.json", "definition.json"


class RunGone(UserError):
    """A run is no longer in MLflow."""


def find_inputs(given: Given) -> dict[str, str]:
    """Return nothing: the table and the options are all."""
    return {}


def run(given: Given) -> Made:
    """Fit the network."""
    problem, prepared = prepare_table(given)
    prepared = adopt_scale(problem, prepared)
    options = describe_options(given.options, OPTIONS)
    made_of = describe_making(given, problem, prepared, options)
    open_runs(problem.name)
    with mlflow.start_run() as run, tell_lineage(run, problem, prepared.table.digest):
        lineage = describe_lineage(prepared, run.info.run_id)
        tracking.tag_process()
        log_data(problem, prepared.table.frame, prepared.parts, lineage, prepared.table.source)
        log_checks(given)
        (given.folder / DEFINITION).write_text(define(made_of, run.info.run_id).model_dump_json(), encoding="utf-8")
        fitted = fit_prepared(problem, prepared, made_of.options)
        if prepared.scale:
            (given.folder / SCALE).write_text(prepared.scale, encoding="utf-8")
        log_scale(prepared)
        fitted.network.save(given.folder / NETWORK)
        if decision := decide(problem, prepared, fitted):
            (given.folder / DECISION).write_text(decision.model_dump_json() + "\n", encoding="utf-8")
        prepared = adopt(prepared, decision)
        log_decision(decision, prepared.schema)
        lineage = describe_lineage(prepared, run.info.run_id)
        (given.folder / LINEAGE).write_text(json.dumps(lineage, indent=1) + "\n", encoding="utf-8")
    train, validation, _ = prepared.parts.sizes
    rows = train + validation if fitted.refitted else train
    sentence = f"a network is fitted to {rows:,} rows"
    return Made(sentence, mlflow_run=run.info.run_id)


def describe_making(given: Given, problem: ProblemConfig, prepared: Prepared, options: Mapping[str, Any]) -> Lineage:
    """Return what a network is made of; the options are those of this step."""
    table, log = given.before["ingest"], problem.pipeline.log
    return Lineage(
        problem,
        FitOptions(seed=options.get("seed", 0), epochs=options.get("epochs")),
        prepared.table,
        prepared.parts,
        rows=table.options.get("rows"),
        log=LogTable(log, problem.pipeline.labels) if log is not None else None,
        snapshot=table.outputs[TABLE],
        memory=given.room.budget.bytes if given.room else None,
    )


def log_checks(given: Given) -> None:
    """Record what the table's checks found with the active run."""
    metrics = given.find("check", METRICS)
    if metrics.is_file():
        mlflow.log_metrics(json.loads(metrics.read_bytes()))
        mlflow.log_artifact(str(given.find("check", REPORT)), "checks")


def check(given: Given, record: StepRecord) -> None:
    """Raise RunGone if MLflow does not have the run any more."""
    if not tracking.connect() or not has_run(record.mlflow_run or ""):
        raise RunGone(f"the run {record.mlflow_run} is gone from MLflow")
