"""Estimates without labels: close to what comes true of calibrated probabilities, and none for a regression."""

import numpy as np
import pytest

from ekiben.contract.schema import Target
from ekiben.training.evaluate import score
from ekiben.training.evaluate.estimates import UNCHANGED, estimate, learn_calibration

LATE = Target(name="late", classes=(False, True))
EARLY = Target(name="late", classes=(False, True), threshold=0.2, costs=(0.2, 0.8))
SPECIES = Target(name="species", task="multiclass", classes=("setosa", "versicolor", "virginica"))
PRICE = Target(name="price", task="regression", scale=2.0)
MANY = 200_000
random = np.random.default_rng(5)


def draw(target: Target, rows: int = MANY) -> tuple[np.ndarray, np.ndarray]:
    """Return labels that come true as often as the answers say, and these answers."""
    if target.task == "binary":
        answers = random.beta(0.8, 2.5, rows)[:, None].astype(np.float32)
        return (random.uniform(size=rows) < answers[:, 0]).astype(np.float32), answers
    answers = random.dirichlet([0.5, 1.0, 1.5], rows).astype(np.float32)
    labels = (random.uniform(size=rows)[:, None] > answers.cumsum(axis=1)).sum(axis=1)
    return np.minimum(labels, 2).astype(np.int32), answers


def sharpen(target: Target, answers: np.ndarray, power: float) -> np.ndarray:
    """Return answers that are surer than they may be, or less sure."""
    every = np.concatenate([1 - answers, answers], axis=1) if target.task == "binary" else answers
    powers = np.clip(every.astype(float), 1e-7, 1) ** power
    sharp = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return sharp[:, 1:] if target.task == "binary" else sharp


@pytest.mark.parametrize("target", [LATE, SPECIES, EARLY], ids=["two classes", "three", "two, from 0.2 on"])
def test_an_estimate_is_what_comes_true_of_calibrated_answers(target: Target) -> None:
    labels, answers = draw(target)
    estimated, realised = estimate(target, answers), score(target, labels, answers)
    assert estimated.keys() < realised.keys()
    assert estimated == pytest.approx({name: realised[name] for name in estimated}, abs=0.005)


@pytest.mark.parametrize("target", [LATE, SPECIES], ids=["two classes", "three"])
def test_answers_that_are_too_sure_are_calibrated_first(target: Target) -> None:
    labels, honest = draw(target)
    answers = sharpen(target, honest, 2.5)
    half = MANY // 2
    calibration = learn_calibration(target, labels[:half], answers[:half])
    assert calibration[0] == pytest.approx(0.4, abs=0.02)
    realised = score(target, labels[half:], answers[half:])
    estimated = estimate(target, answers[half:], calibration)
    assert estimated == pytest.approx({name: realised[name] for name in estimated}, abs=0.01)
    raw = estimate(target, answers[half:])
    assert abs(raw["log_loss"] - realised["log_loss"]) > 0.1, "without it the estimate flatters"


def test_a_shifted_rate_is_calibrated() -> None:
    labels, honest = draw(LATE, 20_000)
    odds = 3 * honest / (1 - honest + 1e-6)
    answers = (odds / (1 + odds)).astype(np.float32)
    calibration = learn_calibration(LATE, labels, answers)
    assert estimate(LATE, answers, calibration)["base_rate"] == pytest.approx(labels.mean(), abs=0.005)


def test_the_expected_auc_counts_every_pair_of_rows() -> None:
    answers = np.array([0.1, 0.4, 0.4, 0.8, 0.9], np.float32)[:, None]
    likely = answers[:, 0].astype(float)
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    chance = {(i, j): likely[i] * (1 - likely[j]) for i, j in pairs}  # i is true, and j is not
    right = sum(chance[i, j] * (np.sign(likely[i] - likely[j]) + 1) / 2 for i, j in pairs)
    assert estimate(LATE, answers)["auc"] == pytest.approx(right / sum(chance.values()))


@pytest.mark.parametrize("target", [LATE, SPECIES], ids=["two classes", "three"])
def test_a_row_that_stands_for_two_counts_twice(target: Target) -> None:
    _, answers = draw(target, 500)
    weights = np.where(np.arange(500) % 2, 2.0, 1.0)
    repeated = np.repeat(answers, weights.astype(int), axis=0)
    weighted, counted = estimate(target, answers, weights=weights), estimate(target, repeated)
    assert weighted == pytest.approx(counted, abs=2e-3)  # of repeated rows a few pairs are a row with itself


def test_a_regression_and_no_rows_have_no_estimate() -> None:
    assert estimate(PRICE, np.ones((5, 3), np.float32)) == {}
    assert estimate(LATE, np.ones((0, 1), np.float32)) == {}
    assert learn_calibration(PRICE, np.ones(5), np.ones((5, 3))) == UNCHANGED


@pytest.mark.parametrize("answer", [0.0, 0.5, 1.0])
def test_answers_that_are_all_alike(answer: float) -> None:
    answers = np.full((50, 1), answer, np.float32)
    scores = estimate(LATE, answers, learn_calibration(LATE, np.zeros(50), answers))
    assert all(np.isfinite(value) for value in scores.values())
    assert scores["auc"] == pytest.approx(0.5)
