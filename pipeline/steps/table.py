"""The table that `ingest` kept, as the steps after it need it."""

import json
from dataclasses import replace
from pathlib import Path

from ekiben.pipeline.step import Given
from ekiben.training.decision_learning import Decision, adopt
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import prepare_within
from ekiben.training.streaming.spill import find_spill
from ekiben.training.tables.read import Table
from ekiben.training.versions.snapshots import load_table

REPORT, METRICS = "report.html", "report.json"  # what `check` found
DECISION = "decision.json"  # that `train` made, if it is asked for
SCALE = "scale.txt"  # why `train` learned a number on its scale


def read_problem(path: Path, problem: ProblemConfig) -> ProblemConfig:
    """Return the problem that `ingest` wrote, with what the gates of this one ask for."""
    written = ProblemConfig.model_validate(json.loads(path.read_bytes()))
    return written.model_copy(update={"pipeline": problem.pipeline, "behaviour": problem.behaviour})


def open_table(given: Given) -> tuple[ProblemConfig, Table]:
    """Return the problem that fits the table, and the table."""
    problem = read_problem(given.find("ingest", "problem.json"), given.problem)
    return problem, load_table(problem, given.before["ingest"].outputs["table"], find_spill(problem, given.room))


def prepare_decided(given: Given) -> tuple[ProblemConfig, Prepared]:
    """Return the same with a schema that decides as `train` found best."""
    problem, prepared = prepare_table(given)
    scale = given.find("train", SCALE)
    prepared = replace(prepared, scale=scale.read_text(encoding="utf-8") if scale.is_file() else "")
    path = given.find("train", DECISION)
    return problem, adopt(prepared, Decision.model_validate_json(path.read_bytes()) if path.is_file() else None)


def prepare_table(given: Given) -> tuple[ProblemConfig, Prepared]:
    """Return the problem that fits the table, and the table in parts with its schema."""
    problem, table = open_table(given)
    return problem, prepare_within(problem, table, given.room, say=lambda _: None)  # `check` has said it
