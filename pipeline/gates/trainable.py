"""Can the table be read as the problem says, and is there something to learn?"""

from ekiben.contract.errors import InvalidTable
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.checks.gate import reject_unparseable
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import prepare_within
from ekiben.training.streaming.scratch import Room
from ekiben.training.tables.read import Table


def judge_readable(table: Table) -> Verdict:
    """Stop a table with a column that is absent, or with values that are not of its kind."""
    try:
        reject_unparseable(table)
    except InvalidTable as error:
        return stop("readable", str(error))
    return go("readable", "every value can be read as the problem says")


def judge_trainable(problem: ProblemConfig, table: Table, room: Room | None = None) -> Verdict:
    """Stop a table that can't be cut into parts, or whose target says nothing."""
    try:
        prepared = prepare_within(problem, table, room)
    except InvalidTable as error:
        return stop("trainable", str(error))
    train, validation, test = prepared.parts.sizes
    return go("trainable", f"{train:,} rows to train on, {validation:,} to validate, {test:,} to test")
