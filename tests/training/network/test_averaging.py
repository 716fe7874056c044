"""What is packed answers as the towers that were fitted."""

import keras
import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Target
from ekiben.training.network.architecture import Design, Shape, Tower, build_towers, network_inputs
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.losses import answer_towers
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.registry.packaging import predict_encoded
from tests.every_kind import SCHEMA

pytestmark = pytest.mark.slow

TARGETS = {
    "binary": Target(name="y", classes=("no", "yes")),
    "multiclass": Target(name="y", task="multiclass", classes=("a", "b", "c")),
    "regression": Target(name="y", task="regression", scale=1e6),
}
SHAPE = Shape(units=(16, 8), towers=(Tower(0.1), Tower(0.2), Tower(0.3, reads="bins"), Tower(0.1, reads="line")))
SHARES = np.array([0.25, 0.0, 0.5, 0.25])


def make_rows(rows: int) -> Encoded:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, len(SCHEMA.number_names))).astype(np.float32)
    numbers[random.uniform(size=numbers.shape) < 0.1] = np.nan
    sizes = [len(feature.vocabulary) + 1 for feature in SCHEMA.categories]
    return Encoded(numbers, random.integers(0, sizes, (rows, len(sizes))).astype(np.int32))


def make_towers(task: str, shape: Shape = SHAPE, bins: int = 8) -> tuple[keras.Model, Design]:
    """Towers of which every weight matters, not fitted."""
    keras.utils.set_random_seed(0)
    schema = SCHEMA.model_copy(update={"target": TARGETS[task]})
    labels = np.arange(300) % 3 if task == "multiclass" else np.arange(300) % 2
    design = Design(schema, scale_numbers(make_rows(500).numbers, bins), scale_target(schema.target, labels), shape)
    towers = build_towers(design)
    random = np.random.default_rng(1)
    for weight in towers.trainable_variables:
        weight.assign(weight + 0.1 * random.normal(size=weight.shape))
    return towers, design


@pytest.mark.parametrize("task", TARGETS)
def test_its_answers_are_the_mean_of_the_towers_answers_by_their_shares(task: str) -> None:
    towers, design = make_towers(task)
    rows = make_rows(500)
    given = answer_towers(design.schema.target.task, towers.predict(network_inputs(rows), verbose=0))
    expected = np.einsum("rto,t->ro", given, SHARES)
    answers = predict_encoded(average_towers(towers, design, SHARES), rows)
    if task == "regression":
        answers, expected = (answers[:, :1] - design.target.centre) / design.target.spread, expected[:, :1]
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_a_tower_without_a_share_is_not_packed() -> None:
    towers, design = make_towers("binary")
    some, all_of_them = (average_towers(towers, design, shares).count_params() for shares in (SHARES, None))
    assert some < all_of_them


@pytest.mark.parametrize("margin", [0.0, 0.5, -9.0])
def test_bounds_are_moved_apart_and_never_cross_the_value(margin: float) -> None:
    towers, design = make_towers("regression")
    rows = make_rows(500)
    value, low, high = predict_encoded(average_towers(towers, design, margin=margin), rows).T
    assert (low <= value).all()
    assert (value <= high).all()
    if margin > 0:
        plain = predict_encoded(average_towers(towers, design), rows)
        assert (high - low).mean() > (plain[:, 2] - plain[:, 1]).mean()


@pytest.mark.parametrize(("task", "bins"), [("binary", 0), ("multiclass", 16)])
def test_one_layer_and_no_bins_are_enough(task: str, bins: int) -> None:
    towers, design = make_towers(task, Shape(units=(8,), towers=(Tower(),)), bins)
    rows = make_rows(100)
    given = answer_towers(design.schema.target.task, towers.predict(network_inputs(rows), verbose=0))
    np.testing.assert_allclose(predict_encoded(average_towers(towers, design), rows), given[:, 0], atol=1e-6)
