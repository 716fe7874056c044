"""Rows that are left out don't change what the others are called: by their number in the file."""

from dataclasses import replace
from pathlib import Path

import pytest

from ekiben.training.checks.gate import Contract, check_contract
from ekiben.training.home import VARIABLE
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig, read_problem
from ekiben.training.tables.read import read_table

ROWS = 400
PROBLEM = """
name = "t"
weight = "w"
[source]
path = "t.csv"
[target]
name = "y"
task = "regression"
[features]
"x" = { kind = "number" }
"""


def write(folder: Path, *changed: tuple[int, str]) -> ProblemConfig:
    """Write a table of rows of which these, counted from 1, are others."""
    lines = [f"{row % 7},{row % 5},1" for row in range(ROWS)]
    for row, line in changed:
        lines[row - 1] = line
    (folder / "t.csv").write_text("\n".join(["x,y,w", *lines]))
    (folder / "problem.toml").write_text(PROBLEM)
    return read_problem(folder / "problem.toml")


@pytest.mark.parametrize("rows", [None, 199])
@pytest.mark.parametrize("left_out", ["1,,1", "1,2,0"], ids=["no target", "weight of 0"])
def test_a_message_names_the_row_of_the_file(
    left_out: str, rows: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    problem = write(tmp_path)
    schema = prepare(problem, read_table(problem, lambda _: None), say=lambda _: None).schema
    problem = write(tmp_path, (1, left_out), (2, left_out), (101, "-1000,2,1"))
    table = read_table(problem, lambda _: None)
    report = check_contract(Contract("3", schema, None), problem, table.thin(rows) if rows else table)
    assert [str(skew).partition(": -")[0] for skew in report.skews] == [
        f"`x`: not between 0 and 12 in 1 of {rows or ROWS - 2} rows ({0.50 if rows else 0.25:.2f}%), first in row 101"
    ]


def test_a_table_whose_rows_all_stay_is_numbered_as_it_is(tmp_path: Path) -> None:
    table = read_table(write(tmp_path), lambda _: None)
    assert list(table.numbered.index[:2]) == [0, 1]
    assert list(table.take_each(100).numbered.index) == [0, 100, 200, 300]
    assert list(replace(table, positions=None).numbered.index[:2]) == [0, 1]
