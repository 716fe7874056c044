"""The network: how it starts, that it learns each task, and that odd inputs don't break it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contract.encode import Encoded
from contract.feature import Category, Number
from contract.schema import Schema, Target
from service.engine import LiteRTEngine
from tests.test_feature_schema import SCHEMA
from training.fit import Labelled, Recipe, fit_network
from training.network import Shape, average_towers, build_towers
from training.pack import convert_to_litert, predict_encoded
from training.scaling import scale_numbers, scale_target

pytestmark = pytest.mark.slow

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


def make_labelled(task: str, rows: int, seed: int = 0) -> Labelled:
    """Random rows whose label follows from the first number, with a little noise for a regression."""
    encoded = make_rows(rows, seed)
    first = np.nan_to_num(encoded.numbers[:, 0])
    if task == "binary":
        return Labelled(encoded, (first > 0).astype(np.float32))
    if task == "multiclass":
        return Labelled(encoded, np.digitize(first, [-0.5, 0.5]).astype(np.int32))
    noise = np.random.default_rng(seed + 1).normal(0, 0.3, rows)
    return Labelled(encoded, 1e6 * (5 + first + noise))


def fit(task: str, rows: int = 1500, seed: int = 0, epochs: int = 4) -> keras.Model:
    recipe = Recipe(seed=seed, epochs=epochs)
    return fit_network(schema_for(task), make_labelled(task, rows), make_labelled(task, 1000, 7), recipe)


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    """One fitted network a task."""
    return {task: fit(task, epochs=12) for task in TARGETS}


@pytest.mark.parametrize("base_rate", [0.01, 0.25, 0.9])
def test_untrained_it_answers_about_the_base_rate(base_rate: float) -> None:
    keras.utils.set_random_seed(0)
    rows, target = make_rows(500), TARGETS["binary"]
    scale = scale_target(target, (np.arange(1000) < 1000 * base_rate).astype(np.float32))
    towers = build_towers(schema_for("binary"), scale_numbers(rows.numbers, 8), scale, Shape())
    average = float(predict_encoded(average_towers(towers, target, scale, 0.0), rows).mean())
    assert abs(np.log(average / (1 - average)) - np.log(base_rate / (1 - base_rate))) < 0.5


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


@pytest.mark.parametrize("task", TARGETS)
def test_the_same_seed_gives_the_same_weights(task: str) -> None:
    first, second = (fit(task, 300, seed=1, epochs=1).get_weights() for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    others = fit(task, 300, seed=2, epochs=1).get_weights()
    assert not all(np.array_equal(one, other) for one, other in zip(first, others, strict=True))


@pytest.mark.parametrize("task", TARGETS)
def test_a_rows_bits_do_not_depend_on_its_batch(task: str, networks: dict[str, keras.Model], tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert_to_litert(networks[task]))
    engine = LiteRTEngine(tmp_path / "model.tflite")
    rows = make_rows(4096)
    together = engine.run(rows)
    assert np.allclose(together, predict_encoded(networks[task], rows), rtol=1e-5, atol=1e-5)
    for size in (1, 7, 64):
        assert np.array_equal(engine.run(rows[:size]), together[:size])


@pytest.mark.parametrize("task", TARGETS)
def test_it_can_be_saved_and_loaded_without_our_code(
    task: str, networks: dict[str, keras.Model], tmp_path: Path
) -> None:
    networks[task].save(tmp_path / "network.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "network.keras")
    rows = make_rows(50)
    assert np.array_equal(predict_encoded(loaded, rows), predict_encoded(networks[task], rows))


def test_extreme_and_missing_numbers_give_a_finite_answer(networks: dict[str, keras.Model]) -> None:
    rows = make_rows(3)
    rows.numbers[0], rows.numbers[1], rows.numbers[2] = np.nan, 3e38, -3e38
    for network in networks.values():
        assert np.isfinite(predict_encoded(network, rows)).all()


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
    rows = Labelled(Encoded(numbers, codes), (np.arange(120) % 2).astype(np.float32))
    assert predict_encoded(fit_network(schema, rows, rows, Recipe(epochs=1)), rows.encoded).shape == (120, 1)


@pytest.mark.parametrize("value", [np.nan, 7.0])
def test_a_constant_or_empty_number_does_no_harm(value: float) -> None:
    rows = make_labelled("binary", 200)
    rows.encoded.numbers[:, 1] = value
    network = fit_network(schema_for("binary"), rows, rows, Recipe(epochs=1))
    assert np.isfinite(predict_encoded(network, rows.encoded)).all()
