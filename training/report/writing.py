"""Writes the report of a run into its package: `report.html`."""

from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.model.importance import Importance
from ekiben.model.package import REPORT_FILE
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.report.findings import draw_test_rows, find_all
from ekiben.training.report.page import render_page


def write_report(
    folder: Path,
    problem: ProblemConfig,
    prepared: Prepared,
    answers: Answers,
    run: Callable[[Encoded], Answers],
    importance: Importance | None,
) -> None:
    """Measure a model by its answers to the test rows, (rows, outputs), and write what that shows."""
    with threadpool_limits(1):  # several wait for each other: 39 s instead of 4 on a busy machine
        findings = find_all(problem, prepared, answers, run, importance, draw_test_rows(problem, prepared))
        page = render_page(findings)
    (folder / REPORT_FILE).write_text(page, encoding="utf-8")
