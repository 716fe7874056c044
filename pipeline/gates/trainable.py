"""Can the table be read as the problem says, and is there something to learn?"""

from ekiben.contract.errors import InvalidTable
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.checks.gate import reject_unparseable
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table


def judge_readable(table: Table) -> Verdict:
    """Stop a table with a column that is absent, or with values that are not of its kind."""
    try:
        reject_unparseable(table)
    except InvalidTable as error:
        return stop("readable", str(error))
    return go("readable", "every value can be read as the problem says")


def judge_trainable(problem: ProblemConfig, table: Table) -> Verdict:
    """Stop a table that can't be cut into parts, or whose target says nothing."""
    try:
        prepared = prepare(problem, table)
    except InvalidTable as error:
        return stop("trainable", str(error))
    parts = prepared.parts
    sentence = (
        f"{len(parts.train):,} rows to train on, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    )
    return go("trainable", sentence)
