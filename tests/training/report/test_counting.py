"""Rows with weights count as often as these say, and those of one group are drawn together."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ekiben.contract.schema import Target
from ekiben.training.evaluate import score
from ekiben.training.report.baselines import answer_all
from ekiben.training.report.comparison import Drawing, Scored
from ekiben.training.report.counting import Counting
from ekiben.training.report.draws import MAX_ROWS, MIN_ROWS, draw
from ekiben.training.report.learning_curve import draw_curve
from ekiben.training.report.welch import measure_gap
from ekiben.training.report.writing import write_report
from tests.reported_tables import TARGETS, answer, answer_test, make_frame, make_problem, prepare_table

SOLD = Target(name="sold", classes=("no", "yes"), threshold=0.25, costs=(1, 3))
GRADE = Target(name="grade", task="multiclass", classes=tuple("abcdefg"))
PRICE = Target(name="price", task="regression")
RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.integers(1, 9, 400) / 4


def make_answers(target: Target, rows: int) -> tuple[np.ndarray, np.ndarray]:
    if target.task == "regression":
        values = RANDOM.normal(size=rows) * 100
        return values, np.column_stack([values + RANDOM.normal(size=rows) * 50, values - 60, values + 60]).astype(
            np.float32
        )
    chances = RANDOM.dirichlet(np.ones(len(target.classes)), rows).astype(np.float32)
    labels = RANDOM.integers(0, len(target.classes), rows)
    return labels, chances[:, 1:].round(2) if target.task == "binary" else chances


@pytest.mark.parametrize("target", [SOLD, GRADE, PRICE], ids=lambda target: target.task)
def test_weighted_metrics_are_those_of_the_evaluation(target: Target) -> None:
    labels, answers = make_answers(target, 400)
    wanted = score(target, labels, answers, WEIGHTS)
    found = Scored(Drawing(target, labels, draw(400), Counting(WEIGHTS)), answers).values
    assert found == pytest.approx({name: wanted[name] for name in found}, rel=1e-6)
    plain = Scored(Drawing(target, labels, draw(400)), answers)
    assert plain.values != pytest.approx(found, rel=1e-3)
    doubled = Scored(Drawing(target, labels, draw(400), Counting(np.full(400, 0.02))), answers)
    assert doubled.values == pytest.approx(plain.values, rel=1e-6)


def test_intervals_of_groups_hold_the_truth() -> None:
    """Of rows that are ten times the same, 95% are promised, 57 of 60; of squared errors of 60 groups a few less."""
    held = alone = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        errors, groups = np.repeat(random.normal(size=60) * 50, 10), np.repeat(np.arange(60), 10)
        labels = random.normal(size=600) * 100
        answers = (labels + errors)[:, None]
        for counting in (Counting(), Counting(groups=groups)):
            draws = draw(600, groups=counting.groups)
            interval = Scored(Drawing(PRICE, labels, draws, counting), answers).measure()["rmse"]
            assert interval is not None
            held += counting.groups is not None and interval.low <= 50 <= interval.high
            alone += counting.groups is None and interval.low <= 50 <= interval.high
    assert held >= 50
    assert alone < 45


def test_a_group_is_drawn_as_a_whole() -> None:
    groups = RANDOM.integers(0, 50, 300)
    counts = draw(300, groups=groups).counts
    for group in range(50):
        assert (counts[:, groups == group] == counts[:, groups == group][:, :1]).all()


def test_of_many_groups_some_are_drawn_from_and_of_few_large_ones_all() -> None:
    rows = 4 * MAX_ROWS
    many, few = draw(rows, groups=np.arange(rows) // 4), draw(rows, groups=np.arange(rows) * 25 // rows)
    assert len(many.rows) == len(few.rows) == MAX_ROWS
    assert many.narrowing == pytest.approx(0.5)
    assert len(np.unique(few.rows * 25 // rows)) == 25
    assert few.narrowing == 1  # more rows of these groups would tell nothing of others


def test_few_groups_have_no_interval() -> None:
    labels, answers = make_answers(PRICE, 400)
    groups = np.arange(400) % (MIN_ROWS - 1)
    drawing = Drawing(PRICE, labels, draw(400, groups=groups), Counting(groups=groups))
    assert set(Scored(drawing, answers).measure().values()) == {None}


def test_a_slice_of_groups_is_no_surer_than_these() -> None:
    """What looks sure of 600 rows is chance of 60 groups."""
    found = [0, 0]
    for seed in range(40):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(120), 10)
        losses, here = np.repeat(random.random(120), 10), groups < 60
        for index, counting in enumerate((Counting(), Counting(groups=groups))):
            gap = measure_gap(here, losses, counting)
            assert gap
            found[index] += gap.p_value < 0.05
    assert found[0] > 5
    assert found[1] <= 4


def test_the_best_constants_are_weighted() -> None:
    labels, weights = np.array([0, 1, 1, 2]), np.array([3.0, 1, 1, 5])
    np.testing.assert_allclose(answer_all(PRICE, labels, weights), [1.2])
    classes = Target(name="grade", task="multiclass", classes=("a", "b", "c"))
    np.testing.assert_allclose(answer_all(classes, labels, weights), [0.3, 0.2, 0.5])


def test_fewer_rows_are_fewer_groups() -> None:
    groups = np.repeat(np.arange(160), 10)
    labels, answers = make_answers(PRICE, 100)
    taken = []

    def fit(rows: np.ndarray) -> np.ndarray:
        taken.append(rows)
        return answers

    draw_curve(Drawing(PRICE, labels, draw(100)), "rmse", groups, answers, fit)
    assert [len(np.unique(groups[rows])) for rows in taken] == [20, 40, 80, 80]


@pytest.mark.parametrize("task", TARGETS)
def test_the_page_says_how_rows_count(task: str, tmp_path: Path) -> None:
    frame = make_frame(3000).assign(who=np.arange(3000) // 3, times=RANDOM.integers(1, 9, 3000))
    problem = make_problem(tmp_path, task, frame, split={"group": "who"}, weight="times")
    prepared = prepare_table(problem)
    answers = answer_test(prepared)
    write_report(tmp_path, problem, prepared, answers, partial(answer, prepared), None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "400 draws of test rows, all those of one `who` together, with replacement" in page
    assert "Every row counts as many times as its `times` says" in page
    name = "r2" if task == "regression" else "accuracy"
    weighted = score(prepared.schema.target, prepared.labels[2], answers, prepared.weights[2])[name]
    shown = re.search(f"<td>{name}</td><td>([0-9.]+)", page)
    assert shown
    assert float(shown[1]) == pytest.approx(weighted, abs=0.006)
