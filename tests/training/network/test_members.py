"""Which towers are chosen, by the loss of their mean on validation rows."""

import numpy as np
import pytest

from ekiben.training.network.members import BEST, choose_members

LABELS = np.tile([0, 1], 50)
ONES = np.ones(100)


def certain(share: float) -> np.ndarray:
    """Probabilities, (rows,), right in that share of the rows."""
    right = np.arange(100) < 100 * share
    return np.where(right == LABELS, 0.9, 0.1)


def test_towers_that_err_on_different_rows_are_chosen_together() -> None:
    first, last = np.arange(100) < 20, np.arange(100) >= 80
    right = np.stack([~first, ~last, np.zeros(100, bool)], axis=1)
    answers = np.where(right == LABELS[:, None], 0.9, 0.1)[:, :, None]
    shares, loss = choose_members("binary", LABELS, ONES, answers)
    assert shares.tolist() == [0.5, 0.5, 0.0]
    assert loss < -np.log(0.9) * 0.8 - np.log(0.1) * 0.2


def test_a_tower_that_is_best_alone_and_together_is_the_only_one() -> None:
    answers = np.stack([certain(0.5), certain(1.0), certain(0.5)], axis=1)[:, :, None]
    assert choose_members("binary", LABELS, ONES, answers)[0].tolist() == [0.0, 1.0, 0.0]


def test_no_more_than_the_best_are_packed() -> None:
    random = np.random.default_rng(0)
    labels = random.normal(size=500)
    answers = labels[:, None, None] + random.normal(size=(500, 12, 3))
    shares, loss = choose_members("regression", labels, np.ones(500), answers)
    assert (np.count_nonzero(shares), shares.sum()) == (BEST, 1.0)
    assert loss < 0.4  # of one of them it is 1


@pytest.mark.parametrize(("counted", "chosen"), [(slice(0, 50), 0), (slice(50, 100), 1)])
def test_rows_count_by_their_weights(counted: slice, chosen: int) -> None:
    answers = np.stack([certain(0.5), 1 - certain(0.5)], axis=1)[:, :, None]
    weights = np.zeros(100)
    weights[counted] = 1
    assert choose_members("binary", LABELS, weights, answers)[0][chosen] == 1.0


def test_of_many_classes_the_probability_of_the_right_one_counts() -> None:
    labels = np.array([0, 1, 2] * 20)
    right = np.eye(3)[labels] * 0.6 + 0.4 / 3
    shares, loss = choose_members("multiclass", labels, np.ones(60), np.stack([np.full((60, 3), 1 / 3), right], axis=1))
    assert shares.tolist() == [0.0, 1.0]
    assert loss == pytest.approx(-np.log(0.6 + 0.4 / 3))
