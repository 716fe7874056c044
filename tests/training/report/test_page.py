"""The page shows what was measured of any task, with few rows, and whatever names hold is text in it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.page import POLICY
from ekiben.contract.schema import Target
from ekiben.model.importance import FeatureImportance, Importance
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.baselines import find_baselines
from ekiben.training.report.comparison import Drawing
from ekiben.training.report.draws import draw
from ekiben.training.report.findings import draw_test_rows, find_all
from ekiben.training.report.learning_curve import LearningCurve, draw_curve
from ekiben.training.report.learning_section import describe_curve
from ekiben.training.report.page import render_page
from ekiben.training.report.tables import show
from ekiben.training.report.writing import write_report
from tests.browser import find_chromium, run_chromium
from tests.reported_tables import HOSTILE, TARGETS, answer, answer_test, make_frame, make_problem, prepare_table

NAMES = ("noise", "size", "shop")
PRICE = Target(name="price", task="regression")
IMPORTANCE = Importance(
    unit="log-odds",
    rows=256,
    features=tuple(FeatureImportance(feature=name, value=0.5, standard_error=0.1) for name in NAMES),
)


def write(folder: Path, task: str, rows: int, **more: object) -> str:
    problem = make_problem(folder, task, make_frame(rows), **more)
    prepared = prepare_table(problem)
    write_report(folder, problem, prepared, answer_test(prepared), partial(answer, prepared), IMPORTANCE)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("rows", [60, 3000])
def test_it_shows_every_section_of_every_task(tmp_path: Path, task: str, rows: int) -> None:
    page = write(tmp_path, task, rows)
    for wanted in ("How good it is", "By shop", "Where it errs most", "Mean effect on 256 held-out rows"):
        assert wanted in page
    assert ("the mean" if task == "regression" else "the base rate") in page
    assert ("too few to search" in page) == (rows == 60)
    assert ("There are too few test rows to say whether it is better than" in page) == (rows == 60)
    assert "nan" not in re.sub("<style>.*</style>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("task", TARGETS)
def test_features_that_are_all_constant_are_reported(tmp_path: Path, task: str) -> None:
    problem = make_problem(tmp_path, task, make_frame(3000).assign(size=1.0, noise=2.0, shop="north"))
    prepared = prepare_table(problem)
    write_report(tmp_path, problem, prepared, answer_test(prepared), partial(answer, prepared), IMPORTANCE)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "None looked worse than chance would make it." in page
    assert "nan" not in re.sub("<style>.*</style>", "", page, flags=re.DOTALL)


def test_names_and_values_are_text_and_nobody_is_asked(tmp_path: Path) -> None:
    page = write(tmp_path, "binary", 3000)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "//" not in page
    assert POLICY.startswith("default-src 'none'")


def test_the_feature_that_matters_is_the_first_and_one_that_does_not_is_no_loss(tmp_path: Path) -> None:
    page = write(tmp_path, "regression", 3000)
    table = page[page.index("With a feature") :]
    assert table.index(">size<") < min(table.index(">shop<"), table.index(">noise<"))
    assert "<td>noise</td><td>0.0000 (0.0000 to 0.0000)</td>" in table


def test_the_months_of_a_split_by_time_are_slices(tmp_path: Path) -> None:
    frame = make_frame(2000)
    frame["day"] = np.datetime64("2024-01-01") + np.arange(2000) // 6
    problem = make_problem(tmp_path, "binary", frame, split={"time": "day"}, slices=[])
    prepared = prepare_table(problem)
    write_report(tmp_path, problem, prepared, answer_test(prepared), partial(answer, prepared), None)
    page = (tmp_path / "report.html").read_text()
    assert "By month" in page
    assert "2024-11" in page


def test_a_model_that_guesses_is_not_said_to_be_better(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "binary", make_frame(1000))
    prepared = prepare_table(problem)
    baseline = next(find_baselines(prepared))

    def guess(rows: Encoded) -> np.ndarray:
        return np.repeat(baseline.answers[:1], len(rows), axis=0)

    findings = find_all(problem, prepared, baseline.answers, guess, None, draw_test_rows(problem, prepared))
    page = render_page(findings)
    assert "Whether it is better than the base rate is not sure: its log loss is better by 0.0000 (" in page


def test_the_baselines_are_the_best_constants(tmp_path: Path) -> None:
    for task, wanted in (("binary", (1,)), ("multiclass", (3,)), ("regression", (1,))):
        prepared = prepare_table(make_problem(tmp_path, task, make_frame(500)))
        constant = next(find_baselines(prepared)).answers
        assert constant.shape[1:] == wanted
        learned = np.concatenate(prepared.labels[:2])  # the model learns from these, too
        assert constant[0].sum() == pytest.approx(1 if task == "multiclass" else learned.mean())


@pytest.mark.parametrize("task", TARGETS)
def test_lightgbm_is_another_where_it_is_installed(tmp_path: Path, task: str) -> None:
    pytest.importorskip("lightgbm")
    page = write(tmp_path, task, 3000)
    assert "LightGBM" in page
    assert re.search("It is worse than LightGBM: its (log loss|rmse) is higher by", page)


def draw_learning(gain: float, lost: Callable[[int], bool] = lambda rows: False) -> LearningCurve:
    """The curve of models whose errors shrink by so much with all rows."""
    random = np.random.default_rng(1)
    labels = random.normal(size=2000)
    drawing = Drawing(PRICE, labels, draw(2000))

    def fit(rows: np.ndarray) -> np.ndarray | None:
        return None if lost(len(rows)) else (labels + random.normal(size=2000))[:, None]

    whole = (labels + random.normal(size=2000) * (1 - gain))[:, None]
    return draw_curve(drawing, "rmse", np.arange(1000), whole, fit)


def test_more_rows_would_help_only_where_that_is_sure() -> None:
    better = draw_learning(0.3)
    assert better.more_would_help
    assert [point.rows for point in better.points] == [125, 250, 500, 500, 1000]
    assert next(describe_curve(better)).startswith("More rows would help: ")
    same = draw_learning(0.0)
    assert not same.more_would_help
    assert next(describe_curve(same)).startswith("That more rows would help is not sure: ")


def test_a_part_that_could_not_be_fitted_leaves_it_unsure() -> None:
    curve = draw_learning(0.3, lambda rows: rows == 125)
    assert [point.rows for point in curve.points] == [250, 500, 500, 1000]
    assert curve.more_would_help
    assert not draw_learning(0.3, lambda rows: rows == 500).more_would_help


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", make_frame(1000))
    prepared = prepare_table(problem)
    curve, run = draw_learning(0.3), partial(answer, prepared)
    findings = find_all(problem, prepared, answer_test(prepared), run, None, draw_test_rows(problem, prepared), curve)
    page = render_page(findings)
    assert "<polyline" in page
    assert "<td>125</td>" in page


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.70321, 0.69, 0.718, "0.703 (0.690 to 0.718)"),
        (12345.6, 11000, 14000, "12,346 (11,000 to 14,000)"),
        (-0.00001, -0.02, 0.02, "0.000 (-0.020 to 0.020)"),
        (0.5, 0.5, 0.5, "0.5000 (0.5000 to 0.5000)"),
        (3e9, 2e9, 4e9, "3.000e+09 (2.000e+09 to 4.000e+09)"),
    ],
)
def test_an_interval_says_how_many_digits_a_value_has(value: float, low: float, high: float, shown: str) -> None:
    assert show(value, Interval(value, low, high)) == shown


@pytest.mark.slow
def test_a_browser_shows_it_and_asks_nobody(tmp_path: Path) -> None:
    path = find_chromium()
    if path is None:
        pytest.skip("needs Chromium: .ci/install-programs")
    write(tmp_path, "binary", 3000)
    with run_chromium(path) as browser:
        page = browser.new_page(viewport={"width": 400, "height": 800})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: said.append(request.url))
        page.goto(f"file://{tmp_path}/report.html")
        assert said == [f"file://{tmp_path}/report.html"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        drawn = page.locator("svg").first.bounding_box()
        assert drawn
        assert 10 < drawn["height"] < 30
