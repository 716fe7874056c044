"""The section on intervals over time: there where rows are split by time, and says what is off."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ekiben.model.training_scores import Covered
from ekiben.training.report.coverage_section import render_coverage
from ekiben.training.report.writing import write_report
from tests.reported_tables import answer, answer_test, make_frame, make_problem, prepare_table

TITLE = "Do intervals hold over time?"
ROWS = 6000


def write(folder: Path, task: str, shift: float, split: dict[str, str]) -> str:
    frame = make_frame(ROWS)
    frame["at"] = pd.date_range("2026-01-01", periods=ROWS, freq="h").strftime("%Y-%m-%d %H:%M")
    frame["price"] += np.where(np.arange(ROWS) > ROWS - 300, shift, 0.0)
    problem = make_problem(folder, task, frame, split=split)
    prepared = prepare_table(problem)
    write_report(folder, problem, prepared, answer_test(prepared), partial(answer, prepared), None)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_shift_is_said_with_its_week(tmp_path: Path) -> None:
    page = write(tmp_path, "regression", 3000.0, {"time": "at"})
    assert TITLE in page
    assert "test rows of the week 2026-" in page
    assert "the share is off beyond chance" in page


def test_it_is_of_numbers_that_are_split_by_time(tmp_path: Path) -> None:
    assert TITLE not in write(tmp_path, "regression", 0.0, {})
    assert TITLE not in write(tmp_path, "binary", 0.0, {"time": "at"})


def test_one_period_needs_no_line() -> None:
    page = render_coverage("year", [Covered("2026<b>", 500, 500.0, 0.8, 0.76, 0.83, 2.0)])
    assert "No year is off beyond chance." in page
    assert "polyline" not in page
    assert "<b>" not in page
