"""What is declared monotone is so in every packed network, fitted or not, wherever the other features lie."""

import itertools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Boolean, Category, Feature, Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.engine import Engine, LiteRTEngine
from ekiben.training.network.architecture import Design, Shape, Tower, build_towers, network_inputs
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.losses import answer_towers
from ekiben.training.network.monotone import MAX_SLOPES, find_monotone
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.network.teacher import can_teach, fit_teacher
from ekiben.training.registry.packaging import convert_to_litert, predict_encoded

FEATURES: tuple[Feature, ...] = (
    Number(name="rising", low=-9, high=9, monotone="up", nullable=True),
    Number(name="other", low=-9, high=9, nullable=True),
    Boolean(name="flag"),
    Number(name="falling", low=-9, high=9, monotone="down"),
    Category(name="kind", vocabulary=("p", "q")),
)
SIGNS = {0: 1, 3: -1}  # by their columns
TARGETS = {
    "binary": Target(name="y", classes=("no", "yes")),
    "regression": Target(name="y", task="regression", scale=1e6),
    "ordinal": Target(name="y", task="multiclass", classes=("a", "b", "c", "d"), ordered=True),
}
SHAPE = Shape(units=(16, 8), towers=(Tower(0.1), Tower(0.2), Tower(0.3, reads="bins"), Tower(0.1, reads="line")))
SHARES = np.array([0.25, 0.0, 0.5, 0.25])
GRID = np.concatenate([[-1e4, -50.0], np.linspace(-6, 6, 241), [50.0, 1e4]]).astype(np.float32)
ROUNDING = 1e-6  # of the largest answer, float32
NUMBERS = st.one_of(st.floats(-9, 9, width=32), st.floats(-1e6, 1e6, width=32))
MISSING = st.just(float("nan"))
OTHERS = st.tuples(NUMBERS | MISSING, NUMBERS | MISSING, st.sampled_from([0.0, 1.0]), NUMBERS, st.integers(0, 2))


class Made(NamedTuple):
    """Towers of which every weight matters, not fitted, and what is packed of them."""

    towers: keras.Model
    design: Design
    network: keras.Model
    engine: Engine


def make_rows(rows: int) -> Encoded:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 4)).astype(np.float32)
    numbers[:, 2] = numbers[:, 2] > 0
    numbers[:, :2][random.uniform(size=(rows, 2)) < 0.1] = np.nan
    return Encoded(numbers, random.integers(0, 3, (rows, 1)).astype(np.int32))


def build(task: str, folder: Path) -> Made:
    keras.utils.set_random_seed(0)
    schema, numbers = Schema(name="m", features=FEATURES, target=TARGETS[task]), make_rows(500).numbers
    scale = scale_target(schema.target, np.arange(300) % (4 if task == "ordinal" else 2))
    design = Design(schema, scale_numbers(numbers, 8), scale, SHAPE, find_monotone(schema, numbers))
    towers = build_towers(design)
    random = np.random.default_rng(1)
    for weight in towers.trainable_variables:
        weight.assign(weight + 0.3 * random.normal(size=weight.shape))
    network = average_towers(towers, design, SHARES, margin=0.3)
    (path := folder / f"{task}.tflite").write_bytes(convert_to_litert(network))
    return Made(towers, design, network, LiteRTEngine(path))


@pytest.fixture(scope="module", params=TARGETS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return build(request.param, tmp_path_factory.mktemp("packed"))


def rank(target: Target, answers: np.ndarray) -> np.ndarray:
    """What must not fall: a probability, a value and its bounds, or the probability of a class and all above it."""
    return answers[:, ::-1].cumsum(axis=1)[:, :-1] if target.ordered else answers


def follow(made: Made, row: tuple[float, ...], column: int) -> np.ndarray:
    """The packed network's answers as one number of a row goes along the grid."""
    numbers = np.tile(np.array(row[:4], np.float32), (len(GRID), 1))
    numbers[:, column] = GRID
    codes = np.full((len(GRID), 1), row[4], np.int32)
    return rank(made.design.schema.target, made.engine.run(Encoded(numbers, codes)))


@pytest.mark.slow
@pytest.mark.parametrize("column", SIGNS)
@given(row=OTHERS)
@settings(max_examples=50)
def test_answers_keep_to_their_direction_wherever_the_others_lie(
    made: Made, column: int, row: tuple[float, ...]
) -> None:
    answers = follow(made, row, column)
    assert np.isfinite(answers).all()
    steps = SIGNS[column] * np.diff(answers, axis=0)
    assert steps.min() >= -ROUNDING * np.abs(answers).max()


@pytest.mark.slow
@pytest.mark.parametrize("column", SIGNS)
def test_each_output_moves_and_how_much_follows_from_the_others(made: Made, column: int) -> None:
    rows = itertools.product((0.5,), (-3.0, 3.0), (0.0, 1.0), (0.5,), (1, 2))
    steps = np.stack([SIGNS[column] * np.diff(follow(made, row, column)[1:-1], axis=0) for row in rows])
    assert (steps.sum(axis=1) > 0).all()
    assert (np.ptp(steps, axis=0).max(axis=0) > 0.01 * steps.max(axis=(0, 1))).all()


@pytest.mark.slow
def test_beyond_the_training_rows_a_number_goes_on(made: Made) -> None:
    if made.design.schema.target.task != "regression":
        pytest.skip("a probability ends at 0 and 1")
    answers = follow(made, (0.5, 0.5, 1.0, 0.5, 1), 0)
    assert (answers[-1] > answers[-2]).all()
    assert (answers[-2] > answers[-3]).all()
    assert (answers[0] < answers[1]).all()


@pytest.mark.slow
def test_a_missing_number_has_an_answer_of_its_own(made: Made) -> None:
    numbers = np.array([[np.nan, 0.5, 1.0, 0.5], [0.0, 0.5, 1.0, 0.5]], np.float32)
    answers = made.engine.run(Encoded(numbers, np.ones((2, 1), np.int32)))
    assert np.isfinite(answers).all()
    assert not np.allclose(answers[0], answers[1], rtol=1e-3)


@pytest.mark.slow
def test_what_is_packed_answers_as_the_towers(made: Made) -> None:
    rows, target = make_rows(300), made.design.schema.target
    given_ = answer_towers(target.task, made.towers.predict(network_inputs(rows), verbose=0))
    expected = np.einsum("rto,t->ro", given_, SHARES)
    answers = predict_encoded(made.network, rows)
    np.testing.assert_allclose(made.engine.run(rows), answers, rtol=1e-5, atol=1e-6)
    if target.task == "regression":
        scale = made.design.target
        answers, expected = (answers[:, :1] - scale.centre) / scale.spread, expected[:, :1]
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)


def test_nothing_changes_where_nothing_is_declared() -> None:
    plain = Schema(name="m", features=FEATURES[1:3], target=TARGETS["binary"])
    assert find_monotone(plain, make_rows(50).numbers[:, 1:3]) is None


def test_a_number_of_one_value_or_two_is_no_harm() -> None:
    schema = Schema(name="m", features=(FEATURES[0], FEATURES[3]), target=TARGETS["binary"])
    numbers = np.stack([np.ones(60), np.arange(60) % 2], axis=1).astype(np.float32)
    found = find_monotone(schema, numbers)
    assert found
    moved = np.asarray(found.move(np.zeros((60, 2, 1 + found.slopes), np.float32), numbers))
    assert np.isfinite(moved).all()
    assert (moved[::2] > moved[1::2]).all()  # the second number lowers the answer


def test_many_numbers_get_fewer_bins() -> None:
    many = tuple(Number(name=f"n{index}", low=0, high=1, monotone="up") for index in range(64))
    schema = Schema(name="m", features=many, target=TARGETS["binary"])
    found = find_monotone(schema, np.random.default_rng(0).random((500, 64)).astype(np.float32))
    assert found
    assert found.scale.starts.shape == (64, 3)
    assert found.slopes <= MAX_SLOPES


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_teacher_keeps_to_it_too(task: str) -> None:
    rows, schema = make_rows(400), Schema(name="m", features=FEATURES, target=TARGETS[task])
    signal = np.nan_to_num(rows.numbers[:, 1]) + np.sin(2 * np.nan_to_num(rows.numbers[:, 0]))  # it rises and falls
    labels = signal if task == "regression" else (signal > 0).astype(np.int32)
    teacher = fit_teacher(schema.target, rows, labels, None, 0, find_monotone(schema, rows.numbers))
    for start in range(20):
        numbers = np.tile(rows.numbers[start], (len(GRID), 1))
        numbers[:, 0] = GRID
        answers = teacher.answer(Encoded(numbers, np.ones((len(GRID), 1), np.int32)))
        assert np.diff(answers[:, 0]).min() >= -ROUNDING * np.abs(answers).max()


def test_of_more_classes_there_is_no_teacher_that_would() -> None:
    schema = Schema(name="m", features=FEATURES, target=TARGETS["ordinal"])
    labels = np.arange(100) % 4
    assert can_teach(schema.target, labels)
    assert not can_teach(schema.target, labels, find_monotone(schema, make_rows(50).numbers))
