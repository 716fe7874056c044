"""Intervals hold the truth as often as they say, and metrics of draws are those of the evaluation."""

import numpy as np
import pytest

from ekiben.contract.schema import Target
from ekiben.training.evaluate import score
from ekiben.training.report.comparison import Drawing, Scored
from ekiben.training.report.drawn_metrics import score_draws, score_once
from ekiben.training.report.draws import DRAWS, MAX_CELLS, MAX_ROWS, draw

SOLD = Target(name="sold", classes=("no", "yes"))
COSTLY = Target(name="sold", classes=("no", "yes"), threshold=0.25, costs=(1, 3))
GRADE = Target(name="grade", task="multiclass", classes=tuple("abcdefg"))
ORDER = Target(name="grade", task="multiclass", classes=tuple("abcdefg"), ordered=True)
PRICE = Target(name="price", task="regression")
WITHOUT = {"calibration_error", "base_rate", "mean_probability", "macro_auc", "mean_confidence", "largest_class_rate"}
WITHOUT |= {"median_absolute_error", "interval_width", "baseline_rmse"}


def make_answers(target: Target, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and answers that have to do with them; probabilities are rounded, so that some are equal."""
    random = np.random.default_rng(seed)
    if target.task == "regression":
        labels = random.normal(size=rows) * 100
        value = labels + random.normal(size=rows) * 50
        return labels, np.column_stack([value, value - 60, value + 60]).astype(np.float32)
    if target.task == "binary":
        chances = random.random(rows).round(2)
        return (random.random(rows) < chances).astype(np.int64), chances[:, None].astype(np.float32)
    weights = random.random((rows, len(target.classes))) ** 4
    chances = weights / weights.sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    return np.minimum(labels, len(target.classes) - 1), chances.astype(np.float32)


@pytest.mark.parametrize(
    "target", [SOLD, COSTLY, GRADE, ORDER, PRICE], ids=["usual", "costly", "classes", "order", "number"]
)
def test_metrics_are_those_of_the_evaluation(target: Target) -> None:
    labels, answers = make_answers(target, 500)
    wanted = {name: value for name, value in score(target, labels, answers).items() if name not in WITHOUT}
    found = score_once(target, labels, answers)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("target", [SOLD, GRADE, ORDER, PRICE], ids=["usual", "classes", "order", "number"])
def test_a_draw_is_the_rows_that_it_drew(target: Target) -> None:
    labels, answers = make_answers(target, 300)
    draws = draw(300)
    rows = np.repeat(np.arange(300), draws.counts[7].astype(int))
    wanted = {name: value for name, value in score(target, labels[rows], answers[rows]).items() if name not in WITHOUT}
    found = score_draws(target, labels, answers, draws.counts[7:8])
    assert {name: found[name][0] for name in wanted} == pytest.approx(wanted, rel=1e-6)


def test_metrics_without_both_classes_have_no_value() -> None:
    labels, answers = np.zeros(50, np.int64), np.full((50, 1), 0.2, np.float32)
    scored = Scored(Drawing(SOLD, labels, draw(50)), answers)
    assert {"auc", "f1", "average_precision", "balanced_accuracy"}.isdisjoint(scored.measure())
    assert scored.values["log_loss"] == pytest.approx(-np.log(0.8))


def test_a_class_without_test_rows_changes_nothing_for_the_others() -> None:
    labels, answers = make_answers(GRADE, 400)
    labels = np.where(labels == 3, 2, labels)
    assert score_once(GRADE, labels, answers)["macro_f1"] == pytest.approx(score(GRADE, labels, answers)["macro_f1"])
    assert Scored(Drawing(GRADE, labels, draw(400, 7)), answers).measure()["macro_f1"] is not None


def test_agreement_worse_than_chance_lies_below_0_and_of_one_class_there_is_none() -> None:
    labels = np.arange(70) % 7
    turned = np.eye(7, dtype=np.float32)[6 - labels]
    interval = Scored(Drawing(ORDER, labels, draw(70)), turned).measure()["quadratic_kappa"]
    assert interval
    assert -1 <= interval.low <= interval.value <= interval.high < 0
    alone = Scored(Drawing(ORDER, np.zeros(50, np.int64), draw(50)), turned[6:7].repeat(50, axis=0))
    assert "quadratic_kappa" not in alone.measure()
    assert alone.values["class_mae"] == 0


@pytest.mark.parametrize(("rows", "wanted"), [(20, 48), (200, 54)])
def test_intervals_hold_the_truth(rows: int, wanted: int) -> None:
    """95% are promised, 57 of 60; of twenty squared errors it is a few less."""
    held = 0
    for seed in range(60):
        labels, answers = make_answers(PRICE, rows, seed)
        interval = Scored(Drawing(PRICE, labels, draw(rows)), answers).measure()["rmse"]
        assert interval is not None
        held += interval.low <= 50 <= interval.high
    assert held >= wanted


def test_of_many_rows_some_are_drawn_from_and_the_interval_is_that_of_all() -> None:
    labels, answers = make_answers(SOLD, 4 * MAX_ROWS)
    draws = draw(len(labels))
    assert draws.counts.shape == (DRAWS, MAX_ROWS)
    interval = Scored(Drawing(SOLD, labels, draws), answers).measure()["brier"]
    assert interval is not None
    assert interval.value == pytest.approx(score(SOLD, labels, answers)["brier"])
    squares = (answers[:, 0] - labels) ** 2
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * squares.std() / len(labels) ** 0.5, rel=0.25)


def test_of_many_classes_fewer_rows_are_drawn_from() -> None:
    assert draw(50_000, 1000).counts.shape[1] == MAX_CELLS // 1000


def test_ten_rows_have_no_interval() -> None:
    labels, answers = make_answers(PRICE, 10)
    assert set(Scored(Drawing(PRICE, labels, draw(10)), answers).measure().values()) == {None}


def test_a_difference_on_the_same_rows_is_surer_than_its_parts() -> None:
    labels, answers = make_answers(PRICE, 300)
    drawing = Drawing(PRICE, labels, draw(300))
    better, worse = Scored(drawing, answers), Scored(drawing, answers + np.float32(20))
    gain, alone = better.compare(worse)["rmse"], better.measure()["rmse"]
    assert gain is not None
    assert alone is not None
    assert 0 < gain.low < gain.value < gain.high
    assert worse.compare(better)["rmse"] is not None
    same = better.compare(better)["rmse"]
    assert same is not None
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_no_interval_goes_beyond_what_a_metric_can_be() -> None:
    labels, answers = make_answers(SOLD, 60)
    answers = np.where(labels[:, None] == 1, 0.99, 0.01).astype(np.float32)
    measured = Scored(Drawing(SOLD, labels, draw(60)), answers).measure()
    assert all(0 <= found.low <= found.value <= found.high for found in measured.values() if found)
    auc = measured["auc"]
    assert auc is not None
    assert (auc.low, auc.high) == (1, 1)
