"""The network: how it starts, that it learns, and that odd inputs don't break it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from contract.encode import Encoded
from contract.feature import Category, Number
from contract.schema import Schema
from service.engine import LiteRTEngine
from tests.test_feature_schema import LATE, SCHEMA
from training.fit import Labelled, Recipe, fit_network
from training.network import CLIP, Moments, Shape, build_network, measure_moments, network_inputs
from training.pack import convert_to_litert, predict_encoded

pytestmark = pytest.mark.slow

NUMBERS, CODES = len(SCHEMA.number_names), len(SCHEMA.categories)
MOMENTS = Moments(np.zeros(NUMBERS), np.ones(NUMBERS))
SMALL = Shape(units=(16,), dropout=0.0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


def make_rows(rows: int, seed: int = 0) -> Encoded:
    """Rows with random numbers, a tenth of them missing, and random codes."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, NUMBERS)).astype(np.float32)
    numbers[random.uniform(size=numbers.shape) < 0.1] = np.nan
    sizes = [len(feature.vocabulary) + 1 for feature in SCHEMA.categories]
    return Encoded(numbers, random.integers(0, sizes, (rows, CODES)).astype(np.int32))


def make_labelled(rows: int) -> Labelled:
    """Random rows, late where the first number is above the mean or the first code is the second."""
    encoded = make_rows(rows)
    return Labelled(encoded, ((encoded.numbers[:, 0] > 0) | (encoded.codes[:, 0] == 1)).astype(np.float32))


def fit(rows: int, seed: int) -> list[np.ndarray]:
    """The weights after a short training."""
    labelled = make_labelled(rows)
    return fit_network(
        SCHEMA, labelled, labelled, Recipe(seed=seed, epochs=2, batch_rows=64, shape=SMALL)
    ).get_weights()


@pytest.mark.parametrize("base_rate", [0.01, 0.25, 0.9])
def test_untrained_it_answers_about_the_base_rate(base_rate: float) -> None:
    network, _ = build_network(SCHEMA, MOMENTS, base_rate, Shape())
    average = float(predict_encoded(network, make_rows(500)).mean())
    assert abs(np.log(average / (1 - average)) - np.log(base_rate / (1 - base_rate))) < 0.5


def test_the_answer_is_one_probability_a_row() -> None:
    answers = predict_encoded(build_network(SCHEMA, MOMENTS, 0.2, Shape())[0], make_rows(7))
    assert answers.shape == (7, 1)
    assert ((answers > 0) & (answers < 1)).all()


def test_it_learns_ten_rows_by_heart() -> None:
    encoded = make_rows(10)
    labels = np.array([0, 1] * 5, np.float32)
    ten = Labelled(encoded, labels)
    shape = Shape(units=(64, 32), dropout=0.0)
    network = fit_network(SCHEMA, ten, ten, Recipe(epochs=30, batch_rows=10, learning_rate=0.03, shape=shape))
    assert np.abs(predict_encoded(network, encoded)[:, 0] - labels).max() < 0.05


def test_the_same_seed_gives_the_same_weights() -> None:
    for one, other in zip(fit(300, seed=1), fit(300, seed=1), strict=True):
        assert one.tobytes() == other.tobytes()


def test_another_seed_gives_other_weights() -> None:
    assert any(not np.array_equal(one, other) for one, other in zip(fit(300, seed=1), fit(300, seed=2), strict=True))


def test_dropout_is_for_training_only() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape(dropout=0.9))
    rows = make_rows(50)
    assert np.array_equal(predict_encoded(network, rows), predict_encoded(network, rows))


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    rows = make_rows(20)
    alone = np.concatenate([predict_encoded(network, rows[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, predict_encoded(network, rows), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, 0.0, 3.4e38, -3.4e38])
def test_any_number_gives_a_finite_answer(value: float) -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    rows = Encoded(np.full((1, NUMBERS), value, np.float32), np.zeros((1, CODES), np.int32))
    assert np.isfinite(predict_encoded(network, rows)).all()


def test_a_missing_number_is_not_the_same_as_the_mean() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    codes = np.ones((2, CODES), np.int32)
    missing, mean = predict_encoded(network, Encoded(np.array([[np.nan] * NUMBERS, [0.0] * NUMBERS], "f"), codes))
    assert missing != mean


def test_an_unseen_value_has_a_vector_of_its_own() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    codes = np.array([[0, 0], [1, 0], [0, 1]], np.int32)
    answers = predict_encoded(network, Encoded(np.zeros((3, NUMBERS), np.float32), codes))
    assert np.isfinite(answers).all()
    assert len(np.unique(answers)) == 3


def test_every_place_in_a_vocabulary_has_a_vector() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    last = np.array([[len(feature.vocabulary) for feature in SCHEMA.categories]], np.int32)
    assert np.isfinite(predict_encoded(network, Encoded(np.zeros((1, NUMBERS), np.float32), last))).all()


def test_how_far_beyond_the_clip_a_number_lies_is_ignored() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    numbers = np.zeros((3, NUMBERS), np.float32)
    numbers[:, 0] = [CLIP, CLIP + 1, 1e9]
    answers = predict_encoded(network, Encoded(numbers, np.zeros((3, CODES), np.int32)))
    assert len(np.unique(answers)) == 1


def test_within_the_clip_it_is_not() -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    numbers = np.zeros((2, NUMBERS), np.float32)
    numbers[:, 0] = [CLIP - 1, CLIP]
    answers = predict_encoded(network, Encoded(numbers, np.zeros((2, CODES), np.int32)))
    assert len(np.unique(answers)) == 2


def test_the_unit_of_a_number_does_not_matter() -> None:
    rows = make_rows(200)
    scaled = Encoded(rows.numbers * 1000 + 7, rows.codes)
    one, other = (build_network(SCHEMA, measure_moments(part.numbers), 0.2, SMALL)[0] for part in (rows, scaled))
    other.set_weights(one.get_weights())
    np.testing.assert_allclose(predict_encoded(one, rows), predict_encoded(other, scaled), atol=1e-4)


def test_moments_leave_missing_values_out() -> None:
    moments = measure_moments(np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, 7.0]], np.float32))
    assert moments.mean.tolist() == [2.0, 6.0]
    assert moments.deviation.tolist() == [1.0, 1.0]


def test_a_constant_number_is_divided_by_one() -> None:
    moments = measure_moments(np.full((5, 1), 7.0, np.float32))
    assert (moments.mean.tolist(), moments.deviation.tolist()) == ([7.0], [1.0])


def test_moments_of_large_numbers_are_exact() -> None:
    # Added up in float32 a million times 10,000,000.5 drifts away.
    assert measure_moments(np.full((1_000_000, 1), 10_000_000.0, np.float32)).mean[0] == 10_000_000.0


@pytest.mark.parametrize("feature", [Number(name="x", low=0, high=1), Category(name="x", vocabulary=("a", "b"))])
def test_one_kind_of_input_is_enough(feature: Number | Category) -> None:
    schema = Schema(name="one", features=(feature,), target=LATE)
    width = len(schema.number_names)
    network, _ = build_network(schema, Moments(np.zeros(width), np.ones(width)), 0.2, Shape())
    rows = Encoded(np.zeros((3, width), np.float32), np.zeros((3, 1 - width), np.int32))
    assert predict_encoded(network, rows).shape == (3, 1)


def test_litert_gives_the_same_answers_for_any_number_of_rows(tmp_path: Path) -> None:
    network, _ = build_network(SCHEMA, MOMENTS, 0.2, Shape())
    (tmp_path / "model.tflite").write_bytes(convert_to_litert(network))
    engine = LiteRTEngine(tmp_path / "model.tflite")
    everything = make_rows(300)
    for rows in np.random.default_rng(0).integers(1, 300, 50).tolist():
        some = everything[:rows]
        np.testing.assert_allclose(engine.run(some), network(network_inputs(some)), atol=1e-5)
