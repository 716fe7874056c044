"""Skew: does the table contradict the champion's schema, and have its values moved?"""

from ekiben.pipeline.records.record import Verdict, go, note, stop
from ekiben.training.checks.gate import Contract, describe_skews
from ekiben.training.checks.report import Report
from ekiben.training.tables.read import Table
from ekiben.training.wording import count, quote

SHOWN = 3


def judge_schema_skew(contract: Contract | None, table: Table, report: Report | None) -> Verdict:
    """Stop a table that contradicts the champion's schema."""
    if contract is None or report is None:
        return go("schema skew", "there is no champion whose schema it could contradict")
    if not report.skews:
        sentence = f"the table is as the schema of version {contract.version} says"
        return go("schema skew", sentence)
    return stop("schema skew", describe_skews(contract, table, report))


def judge_value_skew(contract: Contract | None, report: Report | None) -> Verdict:
    """Note whose values have moved since the champion's table: a reason to train, not one to stop."""
    if contract is None or report is None:
        return go("value skew", "there is no champion whose values it could be held against")
    if not report.drifted_columns:
        sentence = f"no column has moved since version {contract.version}"
        return go("value skew", sentence)
    shown = ", ".join(quote(name) for name in report.drifted_columns[:SHOWN])
    more = f" and {len(report.drifted_columns) - SHOWN} more" if len(report.drifted_columns) > SHOWN else ""
    moved = count(len(report.drifted_columns), "column")
    sentence = f"{moved} moved since version {contract.version}: {shown}{more}"
    return note("value skew", sentence)
