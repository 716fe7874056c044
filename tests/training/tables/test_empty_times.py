"""A split by a time that is in no row, or in none that has a target: which of the two is missing is said."""

from pathlib import Path

import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import InvalidProblem, read_problem
from ekiben.training.tables.read import Table, read_table

PROBLEM = """
name = "t"
source = {{ path = "t.csv" }}
target = {{ name = "y", task = "regression" }}
split = {{ time = {time} }}
features = {{ x = {{ kind = "number" }} }}
"""


def read(folder: Path, time: str, rows: list[str]) -> Table:
    (folder / "t.csv").write_text("\n".join(["x,y,day,month", *rows]))
    (folder / "problem.toml").write_text(PROBLEM.format(time=time))
    return read_table(read_problem(folder / "problem.toml"), lambda _: None)


@pytest.mark.parametrize(("time", "name"), [('"day"', "day"), ('["day", "month"]', "day-month")])
@pytest.mark.parametrize(("row", "which"), [("1,2,,", ""), ("1,,2024-01-01,1", "y")])
def test_the_column_without_a_value_is_named(time: str, name: str, row: str, which: str, tmp_path: Path) -> None:
    row = row if name == "day" else row.replace("2024-01-01", "2024")
    with pytest.raises(InvalidTable, match=f"`{which or name}` has no value in any row of .*t.csv"):
        read(tmp_path, time, [row] * 60)


def test_rows_have_one_or_the_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidTable, match=r"`day` has no value in any row of .* that has a `y`: split by another"):
        read(tmp_path, '"day"', ["1,,2024-01-01,"] * 30 + ["1,2,,"] * 30)


@pytest.mark.parametrize("time", ['"y"', '["y", "month"]'])
def test_the_target_is_no_time(time: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem, match="`y` is the weight, the group, the time or the target: it can only be"):
        read(tmp_path, time, ["1,2,2024-01-01,1"] * 60)


@pytest.mark.parametrize("year", ["0", "10000", "1e9", "1e30", "-5"])
def test_a_year_has_four_digits(year: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidTable, match=r"row 2 has `day` .*, `month` 1: expected the numbers of a date, year, mon"):
        read(tmp_path, '["day", "month"]', ["1,2,2024,1", f"1,2,{year},1"] * 30)
