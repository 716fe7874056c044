"""The formats of a problem file: each directive that can't be read is named, with the feature."""

import shutil
from pathlib import Path

import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.directives import check_format
from ekiben.training.problem import InvalidProblem, read_problem
from ekiben.training.tables.date_formats import CLOCKS, DATES, JOINTS, ZONES
from ekiben.training.tables.read import read_table
from tests.conftest import ROOT

CASE = ROOT / "tests" / "cases" / "strptime-formats"


@pytest.mark.parametrize(
    ("format", "sentence"),
    [
        ("%-d/%-m/%Y", "%-d is no directive of strptime: write %d, which reads 7 and 07 alike"),
        ("%#d/%m/%Y", "%#d is no directive of strptime: write %d"),
        ("%s", "%s is no directive of strptime"),
        ("%-Q", "%-Q is no directive of strptime"),
        ("%:z", "%:z is no directive of strptime"),
        ("%d/%m/%Y %", "a % at its end stands for nothing: write %% for the sign itself"),
        ("%d.%d.%Y", "%d stands twice in '%d.%d.%Y'"),
        ("%G-%V", "no date can be read with '%G-%V': ISO year directive"),
        ("%Y %U", "the weeks of '%Y %U' need a year (%Y) and a weekday (%w)"),
    ],
)
@pytest.mark.parametrize("place", ["feature", "split"])
def test_a_directive_that_nothing_reads_is_named(format: str, sentence: str, place: str, tmp_path: Path) -> None:
    text = (CASE / "problem.toml").read_text(encoding="utf-8")
    if place == "split":
        text = text.replace(', format = "%-d/%-m/%Y"', "").replace(
            'time = "when"', 'time = "when"\nformat = "%-d/%-m/%Y"'
        )
    (tmp_path / "problem.toml").write_text(text.replace("%-d/%-m/%Y", format), encoding="utf-8")
    with pytest.raises(InvalidProblem) as caught:
        read_problem(tmp_path / "problem.toml")
    entry = "features.when.format" if place == "feature" else "split.format"
    assert str(caught.value).startswith(f"{tmp_path}/problem.toml: `{entry}`: {sentence}")


def test_formats_that_fit_are_taken() -> None:
    for format in ("", "yyyy-MM-dd", "%G-W%V-%u", "%Y %U %w", "100%% %Y", "%A, %d %B %Y", "%x", "%c"):
        assert check_format(format) == format


def test_every_format_that_init_proposes_is_taken() -> None:
    for date in DATES:
        for tail in ("", *(joint + clock + zone for joint in JOINTS for clock in CLOCKS for zone in ZONES)):
            check_format(date + tail)


@pytest.mark.parametrize("format", ["yyyy-MM-dd", "%Y-%m-%d"])
def test_a_time_that_can_not_be_read_is_named_with_a_value(format: str, tmp_path: Path) -> None:
    shutil.copytree(CASE, tmp_path, dirs_exist_ok=True)
    text = (CASE / "problem.toml").read_text(encoding="utf-8")
    (tmp_path / "problem.toml").write_text(text.replace("%-d/%-m/%Y", format), encoding="utf-8")
    with pytest.raises(InvalidTable) as caught:
        read_table(read_problem(tmp_path / "problem.toml"), lambda share: None)
    first = (CASE / "table.csv").read_text().splitlines()[1].split(",")[0]
    expected = f"`when`: no value can be read as a date and time written {format!r}: row 1 has {first!r}"
    assert str(caught.value) == expected


def test_the_right_format_reads_the_table(tmp_path: Path) -> None:
    shutil.copytree(CASE, tmp_path, dirs_exist_ok=True)
    text = (CASE / "problem.toml").read_text(encoding="utf-8")
    (tmp_path / "problem.toml").write_text(text.replace("%-d/%-m/%Y", "%d/%m/%Y"), encoding="utf-8")
    table = read_table(read_problem(tmp_path / "problem.toml"), lambda share: None)
    assert table.frame["when"].notna().all()
    assert table.parse_failures == ()
