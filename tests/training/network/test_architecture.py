"""The network: how it starts, that it learns each task, and that odd inputs don't break it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.engine import LiteRTEngine, cut
from ekiben.training.network.architecture import Design, Shape, Tower, build_towers, network_inputs
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.fit import FitOptions, LabelledRows, fit_network
from ekiben.training.network.losses import build_loss
from ekiben.training.network.number_vectors import CLIP
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.registry.packaging import convert_to_litert, predict_encoded
from tests.every_kind import SCHEMA

pytestmark = pytest.mark.slow

NUMBERS, CODES = len(SCHEMA.number_names), len(SCHEMA.categories)
TARGETS = {
    "binary": Target(name="y", classes=("no", "yes")),
    "multiclass": Target(name="y", task="multiclass", classes=("a", "b", "c")),
    "regression": Target(name="y", task="regression", scale=1e6),
}


def schema_for(task: str) -> Schema:
    return SCHEMA.model_copy(update={"target": TARGETS[task]})


def make_rows(rows: int, seed: int = 0) -> Encoded:
    """Rows with random numbers, a tenth of them missing, and random codes."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, len(SCHEMA.number_names))).astype(np.float32)
    numbers[random.uniform(size=numbers.shape) < 0.1] = np.nan
    sizes = [len(feature.vocabulary) + 1 for feature in SCHEMA.categories]
    return Encoded(numbers, random.integers(0, sizes, (rows, len(sizes))).astype(np.int32))


def make_labelled(task: str, rows: int, seed: int = 0) -> LabelledRows:
    """Random rows whose label follows from the first number, with a little noise for a regression."""
    encoded = make_rows(rows, seed)
    first = np.nan_to_num(encoded.numbers[:, 0])
    if task == "binary":
        return LabelledRows(encoded, (first > 0).astype(np.float32))
    if task == "multiclass":
        return LabelledRows(encoded, np.digitize(first, [-0.5, 0.5]).astype(np.int32))
    noise = np.random.default_rng(seed + 1).normal(0, 0.3, rows)
    return LabelledRows(encoded, 1e6 * (5 + first + noise))


def fit(task: str, rows: int = 1500, seed: int = 0, epochs: int = 4) -> keras.Model:
    recipe = FitOptions(seed=seed, epochs=epochs)
    return fit_network(schema_for(task), make_labelled(task, rows), make_labelled(task, 1000, 7), recipe).network


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    """One fitted network a task."""
    return {task: fit(task, epochs=12) for task in TARGETS}


def make_design(numbers: np.ndarray, base_rate: float, shape: Shape) -> Design:
    """Two classes, and numbers like these."""
    scale = scale_target(TARGETS["binary"], (np.arange(1000) < 1000 * base_rate).astype(np.float32))
    return Design(schema_for("binary"), scale_numbers(numbers, 8), scale, shape)


def untrained(numbers: np.ndarray, base_rate: float = 0.2, shape: Shape | None = None) -> keras.Model:
    """The network of the mean of towers nobody has fitted."""
    keras.utils.set_random_seed(0)
    design = make_design(numbers, base_rate, shape or Shape())
    return average_towers(build_towers(design), design)


@pytest.fixture(scope="module")
def fresh() -> keras.Model:
    """A network nobody has fitted, for standardised numbers."""
    return untrained(make_rows(500).numbers)


@pytest.mark.parametrize("base_rate", [0.01, 0.25, 0.9])
def test_untrained_it_answers_about_the_base_rate(base_rate: float) -> None:
    rows = make_rows(500)
    average = float(predict_encoded(untrained(rows.numbers, base_rate), rows).mean())
    assert abs(np.log(average / (1 - average)) - np.log(base_rate / (1 - base_rate))) < 0.5


def test_it_can_learn_ten_rows_by_heart() -> None:
    rows, labels = make_rows(10), np.array([0, 1] * 5, np.float32)
    design = make_design(
        rows.numbers, 0.5, Shape(units=(64, 32), towers=(Tower(), Tower(reads="bins"), Tower(reads="line")))
    )
    towers = build_towers(design)
    towers.compile(keras.optimizers.Adam(0.03), build_loss(design))
    towers.fit(network_inputs(rows), np.stack([labels, np.ones(10)], axis=1), epochs=30, batch_size=10, verbose=0)
    assert np.abs(predict_encoded(average_towers(towers, design), rows)[:, 0] - labels).max() < 0.05


def test_dropout_is_for_training_only() -> None:
    rows = make_rows(50)
    network = untrained(rows.numbers, shape=Shape(towers=(Tower(dropout=0.9),)))
    assert np.array_equal(predict_encoded(network, rows), predict_encoded(network, rows))


def test_a_row_does_not_depend_on_its_neighbours(fresh: keras.Model) -> None:
    rows = make_rows(20)
    alone = np.concatenate([predict_encoded(fresh, rows[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, predict_encoded(fresh, rows), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, 0.0, 3.4e38, -3.4e38])
def test_any_number_gives_a_finite_answer(value: float, fresh: keras.Model) -> None:
    rows = Encoded(np.full((1, NUMBERS), value, np.float32), np.zeros((1, CODES), np.int32))
    assert np.isfinite(predict_encoded(fresh, rows)).all()


def test_a_missing_number_is_not_the_same_as_the_mean(fresh: keras.Model) -> None:
    mean = scale_numbers(make_rows(500).numbers, 8).centre
    rows = Encoded(np.stack([np.full(NUMBERS, np.nan), mean]).astype(np.float32), np.ones((2, CODES), np.int32))
    missing, average = predict_encoded(fresh, rows)
    assert missing != average


def test_an_unseen_value_has_a_vector_of_its_own(fresh: keras.Model) -> None:
    codes = np.array([[0, 0], [1, 0], [0, 1]], np.int32)
    answers = predict_encoded(fresh, Encoded(np.zeros((3, NUMBERS), np.float32), codes))
    assert len(np.unique(answers)) == 3


def test_every_place_in_a_vocabulary_has_a_vector(fresh: keras.Model) -> None:
    last = np.array([[len(feature.vocabulary) for feature in SCHEMA.categories]], np.int32)
    assert np.isfinite(predict_encoded(fresh, Encoded(np.zeros((1, NUMBERS), np.float32), last))).all()


@pytest.mark.parametrize(("distances", "answers"), [([CLIP, CLIP + 1, 1e9], 1), ([0.5, 1.0], 2)])
def test_how_far_beyond_the_clip_a_number_lies_is_ignored(
    distances: list[float], answers: int, fresh: keras.Model
) -> None:
    scale = scale_numbers(make_rows(500).numbers, 8)
    numbers = np.tile(scale.centre, (len(distances), 1))
    numbers[:, 0] += np.array(distances) * scale.spread[0] * 1.0001  # just beyond where rounding would show
    found = predict_encoded(fresh, Encoded(numbers.astype(np.float32), np.zeros((len(distances), CODES), np.int32)))
    assert len(np.unique(found)) == answers


def test_the_unit_of_a_number_does_not_matter() -> None:
    rows = make_rows(200)
    scaled = Encoded(rows.numbers * 1000 + 7, rows.codes)
    one, other = (untrained(part.numbers) for part in (rows, scaled))
    other.set_weights(one.get_weights())
    np.testing.assert_allclose(predict_encoded(one, rows), predict_encoded(other, scaled), atol=1e-4)


def test_scales_leave_missing_values_out() -> None:
    scale = scale_numbers(np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, 7.0]], np.float32), 0)
    assert (scale.centre.tolist(), scale.spread.tolist()) == ([2.0, 6.0], [1.0, 1.0])


@pytest.mark.parametrize(("value", "centre"), [(7.0, 7.0), (np.nan, 0.0)])
def test_a_number_that_never_changes_is_divided_by_one(value: float, centre: float) -> None:
    scale = scale_numbers(np.full((5, 1), value, np.float32), 8)
    assert (scale.centre.tolist(), scale.spread.tolist(), scale.slopes.any()) == ([centre], [1.0], False)


def test_the_scale_of_large_numbers_is_exact() -> None:
    # Added up in float32, 10,000,000 drifts away.
    assert scale_numbers(np.full((1_000_000, 1), 10_000_000.0, np.float32), 8).centre[0] == 10_000_000.0


@pytest.mark.parametrize("task", TARGETS)
def test_the_answers_are_what_the_target_says(task: str, networks: dict[str, keras.Model]) -> None:
    answers = predict_encoded(networks[task], make_rows(300))
    assert answers.shape == (300, len(TARGETS[task].outputs))
    assert np.isfinite(answers).all()
    if task == "multiclass":
        assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    if task == "binary":
        assert ((answers >= 0) & (answers <= 1)).all()


def test_it_learns_two_classes(networks: dict[str, keras.Model]) -> None:
    test = make_labelled("binary", 500, 3)
    assert ((predict_encoded(networks["binary"], test.encoded)[:, 0] > 0.5) == test.labels).mean() > 0.85


def test_it_learns_many_classes(networks: dict[str, keras.Model]) -> None:
    test = make_labelled("multiclass", 500, 3)
    assert (predict_encoded(networks["multiclass"], test.encoded).argmax(axis=1) == test.labels).mean() > 0.75


def test_it_learns_a_number_and_an_interval_around_it(networks: dict[str, keras.Model]) -> None:
    test = make_labelled("regression", 3000, 3)
    value, low, high = predict_encoded(networks["regression"], test.encoded).T
    assert 1 - np.square(test.labels - value).mean() / test.labels.var() > 0.7
    assert (low <= value).all()
    assert (value <= high).all()
    assert 0.74 < ((low <= test.labels) & (test.labels <= high)).mean() < 0.86


@pytest.mark.parametrize("task", ["binary", "regression"])  # of more classes only the last layer is another
def test_the_same_seed_gives_the_same_weights(task: str) -> None:
    first = fit(task, 300, seed=1, epochs=1).get_weights()
    untrained(make_rows(50).numbers)  # whatever else was built in between
    second = fit(task, 300, seed=1, epochs=1).get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    others = fit(task, 300, seed=2, epochs=1).get_weights()
    assert not all(np.array_equal(one, other) for one, other in zip(first, others, strict=True))


@pytest.mark.parametrize("task", TARGETS)
def test_a_rows_bits_do_not_depend_on_its_batch(task: str, networks: dict[str, keras.Model], tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert_to_litert(networks[task]))
    engine = LiteRTEngine(tmp_path / "model.tflite")
    rows = make_rows(9000)
    together = engine.run(rows)
    assert np.allclose(together, predict_encoded(networks[task], rows), rtol=1e-5, atol=1e-5)
    for size in (1, 7, 64, 100, 4096):
        assert np.array_equal(engine.run(rows[:size]), together[:size])


def test_a_batch_runs_in_pieces_that_need_little_padding() -> None:
    assert [cut(rows) for rows in (1, 48, 64)] == [[1], [48], [64]]
    assert cut(47) == [32, 15]
    assert cut(600) == [512, 64, 24]
    assert cut(9000) == [4096, 4096, 512, 256, 32, 8]


@pytest.mark.parametrize("task", TARGETS)
def test_it_can_be_saved_and_loaded_without_our_code(
    task: str, networks: dict[str, keras.Model], tmp_path: Path
) -> None:
    networks[task].save(tmp_path / "network.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "network.keras")
    rows = make_rows(50)
    assert np.array_equal(predict_encoded(loaded, rows), predict_encoded(networks[task], rows))


@pytest.mark.parametrize(
    "features",
    [
        (Number(name="x", low=0, high=1),),
        (Category(name="c", vocabulary=("a", "b")),),
    ],
    ids=["one number", "one category"],
)
def test_one_feature_is_enough(features: Any) -> None:
    schema = Schema(name="s", features=features, target=TARGETS["binary"])
    numbers = np.linspace(0, 1, 120, dtype=np.float32).reshape(120, -1)[:, : len(schema.number_names)]
    codes = np.arange(120, dtype=np.int32).reshape(120, -1)[:, : len(schema.categories)] % 3
    rows = LabelledRows(Encoded(numbers, codes), (np.arange(120) % 2).astype(np.float32))
    network = fit_network(schema, rows, rows, FitOptions(epochs=1)).network
    assert predict_encoded(network, rows.encoded).shape == (120, 1)


@pytest.mark.parametrize("value", [np.nan, 7.0])
def test_a_constant_or_empty_number_does_no_harm(value: float) -> None:
    rows = make_labelled("binary", 200)
    rows.encoded.numbers[:, 1] = value
    network = fit_network(schema_for("binary"), rows, rows, FitOptions(epochs=1)).network
    assert np.isfinite(predict_encoded(network, rows.encoded)).all()
