"""Scores, slices and plots on arrays small enough to know the answer."""

import io

import numpy as np
import pandas as pd
import pytest

from training.evaluate import MIN_SLICE_ROWS, format_scores, plot_curves, plot_slices, score, score_slices

LABELS = np.array([0, 0, 1, 1], np.float32)
random = np.random.default_rng(0)
MANY = 4000
CERTAINTY = random.uniform(0.05, 0.6, MANY)
OUTCOMES = (random.uniform(size=MANY) < CERTAINTY).astype(np.float32)


def test_a_perfect_ranking_has_auc_one() -> None:
    assert score(LABELS, np.array([0.1, 0.2, 0.8, 0.9]))["auc"] == 1.0


def test_a_turned_ranking_has_auc_zero() -> None:
    assert score(LABELS, np.array([0.9, 0.8, 0.2, 0.1]))["auc"] == 0.0


def test_scores_are_the_textbooks() -> None:
    scores = score(LABELS, np.array([0.25, 0.75, 0.5, 0.75]))
    assert scores["auc"] == pytest.approx(0.625)  # of four pairs two are right and one is half right
    assert scores["log_loss"] == pytest.approx(-np.log([0.75, 0.25, 0.5, 0.75]).mean())
    assert scores["brier"] == pytest.approx(np.mean([0.25**2, 0.75**2, 0.5**2, 0.25**2]))
    assert scores["base_rate"] == 0.5
    assert scores["mean_probability"] == 0.5625


def test_a_certain_and_wrong_answer_is_still_a_number() -> None:
    assert np.isfinite(score(LABELS, np.array([1.0, 0.0, 0.0, 1.0]))["log_loss"])


def test_one_answer_for_all_is_no_better_than_chance() -> None:
    scores = score(OUTCOMES, np.full(MANY, OUTCOMES.mean()))
    assert scores["auc"] == 0.5
    assert scores["average_precision"] == pytest.approx(OUTCOMES.mean())


def test_honest_probabilities_are_calibrated() -> None:
    assert score(OUTCOMES, CERTAINTY)["calibration_error"] < 0.03


def test_boastful_probabilities_are_not() -> None:
    assert score(OUTCOMES, np.clip(CERTAINTY + 0.3, 0, 1))["calibration_error"] == pytest.approx(0.3, abs=0.03)


def test_slices_are_scored_one_by_one_the_largest_first() -> None:
    keys = pd.Series(["a"] * 1000 + ["b"] * 3000, name="letter")
    slices = score_slices(OUTCOMES, CERTAINTY, keys)
    assert slices["letter"].tolist() == ["b", "a"]
    assert slices["rows"].tolist() == [3000, 1000]
    assert slices["base_rate"].tolist() == pytest.approx([OUTCOMES[1000:].mean(), OUTCOMES[:1000].mean()])
    assert slices["auc"][1] == score(OUTCOMES[:1000], CERTAINTY[:1000])["auc"]


def test_the_index_of_the_keys_does_not_matter() -> None:
    keys = pd.Series(["a", "b"] * (MANY // 2), name="letter")
    shifted = keys.set_axis(range(7, 7 + MANY))
    pd.testing.assert_frame_equal(score_slices(OUTCOMES, CERTAINTY, keys), score_slices(OUTCOMES, CERTAINTY, shifted))


def test_a_slice_of_too_few_rows_has_no_auc() -> None:
    keys = pd.Series(["few"] * (MIN_SLICE_ROWS - 1) + ["enough"] * MIN_SLICE_ROWS, name="size")
    slices = score_slices(OUTCOMES[: len(keys)], CERTAINTY[: len(keys)], keys).set_index("size")
    assert np.isnan(slices["auc"]["few"])
    assert not np.isnan(slices["auc"]["enough"])
    assert slices["rows"]["few"] == MIN_SLICE_ROWS - 1


@pytest.mark.parametrize("label", [0, 1])
def test_a_slice_of_one_class_has_no_auc(label: int) -> None:
    keys = pd.Series(["same"] * MIN_SLICE_ROWS, name="slice")
    labels = np.full(MIN_SLICE_ROWS, label, np.float32)
    slices = score_slices(labels, CERTAINTY[:MIN_SLICE_ROWS], keys)
    assert np.isnan(slices["auc"][0])
    assert slices["base_rate"][0] == label


def test_the_curves_are_drawn() -> None:
    plots = plot_curves(OUTCOMES, CERTAINTY)
    assert list(plots) == ["roc", "precision_recall", "calibration"]
    for figure in plots.values():
        figure.savefig(io.BytesIO(), format="png")


def test_the_curve_of_one_answer_for_all_is_drawn() -> None:
    for figure in plot_curves(OUTCOMES, np.full(MANY, 0.2)).values():
        figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize("rows", [MANY, MIN_SLICE_ROWS])
def test_slices_are_drawn_with_and_without_an_auc(rows: int) -> None:
    keys = pd.Series(["a", "b"] * (rows // 2), name="letter")
    slices = score_slices(OUTCOMES[:rows], CERTAINTY[:rows], keys)
    assert slices["auc"].isna().all() == (rows == MIN_SLICE_ROWS)
    figure = plot_slices("letter", slices)
    figure.savefig(io.BytesIO(), format="png")
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == [f"a\n({rows // 2})", f"b\n({rows // 2})"]


def test_scores_are_printed_one_a_line() -> None:
    assert (
        format_scores({"auc": 0.71234, "log_loss": 0.5}) == "  auc                0.7123\n  log_loss           0.5000"
    )
