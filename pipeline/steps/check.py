"""Asks whether the table can be trained on: is it like the champion's, large and new enough, and is there to learn?"""

import json
from datetime import UTC, datetime

from ekiben.contract.errors import InvalidTable
from ekiben.pipeline.gates.skew import judge_schema_skew, judge_value_skew
from ekiben.pipeline.gates.trainable import judge_readable, judge_trainable
from ekiben.pipeline.gates.volume import judge_freshness, judge_volume
from ekiben.pipeline.records.record import StepRecord, Verdict, stop
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import find_champion_inputs
from ekiben.pipeline.steps.table import METRICS, REPORT, open_table
from ekiben.training.checks.gate import Contract, check_contract, find_contract, report_path
from ekiben.training.checks.report import Report
from ekiben.training.durations import read_seconds
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.scratch import Room
from ekiben.training.tables.read import Table

BUILDS_ON = ("ingest",)
GATED = True
OPTIONS: tuple[str, ...] = ()


def find_inputs(given: Given) -> dict[str, str]:
    """Return which champion's schema the table is held against, and which tenth of `max_age` it is."""
    max_age = given.problem.pipeline.max_age
    oldest = read_seconds(max_age) if max_age else None
    moment = {"moment": str(int(datetime.now(UTC).timestamp() / oldest * 10))} if oldest else {}
    return find_champion_inputs(given.problem.name) | moment


def run(given: Given) -> Made:
    """Ask one gate after the other, until one stops."""
    problem, table = open_table(given)
    contract = find_contract(problem.name)
    try:
        report = check_contract(contract, problem, table) if contract else None
    except InvalidTable as error:
        return Made(str(error), (stop("schema skew", str(error)),))
    if report:
        (given.folder / METRICS).write_text(json.dumps(report.metrics()) + "\n", encoding="utf-8")
        (given.folder / REPORT).write_text(report_path(problem.name).read_text(encoding="utf-8"), encoding="utf-8")
    verdicts = tuple(judge(problem, table, contract, report, given.room))
    said = [verdict.sentence for verdict in verdicts if verdict.verdict == "stop"]
    return Made(said[0] if said else f"{table.rows:,} rows can be trained on", verdicts)


def judge(
    problem: ProblemConfig, table: Table, contract: Contract | None, report: Report | None, room: Room | None
) -> list[Verdict]:
    """Return what the gates say, up to the first that stops."""
    verdicts: list[Verdict] = []
    for ask in (
        lambda: judge_schema_skew(contract, table, report),
        lambda: judge_readable(table),
        lambda: judge_volume(problem, table),
        lambda: judge_freshness(problem, table, datetime.now(UTC)),
        lambda: judge_value_skew(contract, report),
        lambda: judge_trainable(problem, table, room),
    ):
        verdicts.append(ask())
        if verdicts[-1].verdict == "stop":
            break
    return verdicts


def check(given: Given, record: StepRecord) -> None:
    """Everything that is made is a file."""
