"""The running mean of weights: it follows them, smooths them, and gives them back."""

import keras
import numpy as np
import pytest

from ekiben.training.network.weight_mean import STEPS, WeightMean


@pytest.fixture
def model() -> keras.Model:
    """Return a network of one weight, which is 0."""
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])


def put(model: keras.Model, value: float) -> None:
    model.trainable_variables[0].assign(np.full((1, 1), value, np.float32))


def read(model: keras.Model) -> float:
    return float(model.trainable_variables[0].numpy()[0, 0])


def test_weights_that_jump_about_are_near_their_mean(model: keras.Model) -> None:
    mean, random = WeightMean(), np.random.default_rng(0)
    for jump in random.normal(size=1000):
        put(model, 3 + jump)
        mean.add(model, steps=4)
    mean.keep_in(model)
    assert read(model) == pytest.approx(3, abs=0.5)


def test_a_mean_of_long_ago_is_forgotten(model: keras.Model) -> None:
    mean = WeightMean()
    for value in (5.0, 1.0):
        put(model, value)
        for _ in range(STEPS):
            mean.add(model, steps=8)
    mean.keep_in(model)
    assert read(model) == pytest.approx(1, abs=0.01)


def test_a_short_fit_keeps_little_of_how_it_began(model: keras.Model) -> None:
    mean = WeightMean()
    for step in range(1, 21):
        put(model, float(step))
        mean.add(model, steps=1)
    mean.keep_in(model)
    assert 15 < read(model) < 20


def test_the_mean_is_lent_and_the_weights_come_back(model: keras.Model) -> None:
    mean = WeightMean()
    for value in (1.0, 2.0):
        put(model, value)
        mean.add(model, steps=4)
    with mean.put_into(model):
        assert 1 < read(model) < 2
    assert read(model) == 2
