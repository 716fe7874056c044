"""Classes in an order: probabilities that are differences of sigmoids, whatever a tower gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ekiben.contract.schema import Target
from ekiben.training.network.ordinal import find_start, give_log_probabilities, give_probabilities
from ekiben.training.network.scaling import scale_target

OUTPUTS = st.integers(2, 12).flatmap(
    lambda count: arrays(np.float32, (3, count), elements=st.floats(-30, 30, width=32, allow_subnormal=False))
)
MUCH = 1e-30  # below it float32 loses digits


def subtract_sigmoids(outputs: np.ndarray) -> np.ndarray:
    """The textbook's: of a score and cut points that rise by softplus(gap), in float64."""
    score, gaps = outputs[:, :1].astype(np.float64), outputs[:, 1:].astype(np.float64)
    cuts = np.concatenate([np.zeros((len(score), 1)), np.log1p(np.exp(gaps)).cumsum(axis=1)], axis=1)
    above = 1 / (1 + np.exp(cuts - score))
    ends = np.ones((len(score), 1)), np.zeros((len(score), 1))
    return np.asarray(-np.diff(np.concatenate([ends[0], above, ends[1]], axis=1), axis=1))


@given(OUTPUTS)
def test_they_are_the_differences_of_sigmoids_and_sum_to_one(outputs: np.ndarray) -> None:
    given_ = np.asarray(give_probabilities(outputs))
    assert given_.shape == (3, outputs.shape[1] + 1)
    assert (given_ >= 0).all()
    np.testing.assert_allclose(given_, subtract_sigmoids(outputs), atol=5e-6)
    np.testing.assert_allclose(given_.sum(axis=1), 1, atol=5e-6)


@given(OUTPUTS)
def test_their_logarithms_are_exact_where_hardly_anything_is_left(outputs: np.ndarray) -> None:
    given_, logarithms = np.asarray(give_probabilities(outputs)), np.asarray(give_log_probabilities(outputs))
    assert np.isfinite(logarithms).all()
    seen = given_ > MUCH
    np.testing.assert_allclose(logarithms[seen], np.log(given_[seen]), rtol=1e-5, atol=1e-5)


def test_a_tower_that_was_not_fitted_gives_the_rates() -> None:
    rates = np.array([0.2, 0.1, 0.0001, 0.5, 0.1999])
    start = find_start(rates)
    np.testing.assert_allclose(np.asarray(give_probabilities(start[None].astype(np.float32)))[0], rates, rtol=1e-3)


@pytest.mark.parametrize("labels", [[0, 0, 1, 2], [0, 1, 1, 1]], ids=["every class", "one without rows"])
def test_the_rates_are_those_of_the_labels(labels: list[int]) -> None:
    target = Target(name="y", task="multiclass", classes=("a", "b", "c"), ordered=True)
    start = scale_target(target, np.array(labels)).start
    expected = np.maximum(np.bincount(labels, minlength=3) / len(labels), 1e-4)
    np.testing.assert_allclose(np.asarray(give_probabilities(start[None].astype(np.float32)))[0], expected, atol=1e-3)
