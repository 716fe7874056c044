"""Fits of tables whose problem says that classes have an order, or that a number only raises the answer."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.training.fitting import Trained, fit, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.streaming.fitting import fit_from_disk
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import read_table

pytestmark = pytest.mark.slow

ROWS = 1500
TAUGHT = FitOptions(epochs=12)  # of more than ten epochs trees teach some towers
RANDOM = np.random.default_rng(0)
SIZE, AGE = RANDOM.normal(size=ROWS).round(3), RANDOM.normal(size=ROWS).round(3)
TOWN = RANDOM.choice(["inner", "outer"], ROWS)
PRICE = np.where(TOWN == "inner", 3.0, 0.5) * SIZE + np.abs(AGE) + 0.1 * RANDOM.normal(size=ROWS)
GRADES = ("low", "mid", "high", "top")
GRADE = np.array(GRADES)[np.digitize(PRICE, [-1.0, 0.5, 2.5])]
GRID = np.linspace(-6, 6, 121)
ROUNDING = 1e-6


def write(folder: Path, target: dict[str, Any], **directions: str) -> ProblemConfig:
    table = pd.DataFrame({"size": SIZE, "age": AGE, "town": TOWN, "price": PRICE, "grade": GRADE, "dear": PRICE > 1})
    table.to_csv(folder / "t.csv", index=False)
    kinds = {"size": "number", "age": "number", "town": "category"}
    features = {
        name: {"kind": kind, **({"monotone": directions[name]} if name in directions else {})}
        for name, kind in kinds.items()
    }
    given = {"name": "t", "source": {"path": folder / "t.csv"}, "target": target, "features": features}
    return ProblemConfig.model_validate(given)


def train_in_memory(problem: ProblemConfig, options: FitOptions = TAUGHT) -> tuple[Prepared, Trained]:
    prepared = prepare(problem, read_table(problem, lambda _: None), say=lambda _: None)
    return prepared, score_network(prepared, fit(problem, prepared, options).network)


def train_from_disk(problem: ProblemConfig, options: FitOptions = TAUGHT) -> tuple[Prepared, Trained]:
    with open_room(Budget(BASE_BYTES + 100)) as room:
        table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
        assert table.on_disk
        prepared = prepare_on_disk(problem, table, room, lambda _: None)
        return prepared, score_network(prepared, fit_from_disk(problem, prepared, options).network)


WAYS = {"memory": train_in_memory, "disk": train_from_disk}


@pytest.fixture(params=WAYS)
def train(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "home"))
    return WAYS[request.param]


def follow(prepared: Prepared, network: keras.Model, column: str, rows: int = 30) -> np.ndarray:
    """The answers, (rows, steps, outputs), to test rows in which one number goes along the grid."""
    some = prepared.parts.test.head(rows)
    along = some.loc[some.index.repeat(len(GRID))].assign(**{column: np.tile(GRID, len(some))})
    answers = predict_encoded(network, Encoder(prepared.schema).encode(along))
    return answers.reshape(len(some), len(GRID), -1)


def fall(answers: np.ndarray) -> float:
    """By how much any answer falls along the grid, of the largest."""
    return float(-np.diff(answers, axis=1).min() / np.abs(answers).max())


def test_classes_in_an_order_are_learned_as_such(train: Any, tmp_path: Path) -> None:
    problem = write(tmp_path, {"name": "grade", "task": "multiclass", "ordered": GRADES})
    prepared, trained = train(problem)
    assert (prepared.schema.target.classes, prepared.schema.target.ordered) == (GRADES, True)
    assert trained.scores["accuracy"] > 0.85
    assert trained.scores["class_mae"] < 0.2
    assert trained.scores["quadratic_kappa"] > 0.9
    assert (trained.answers >= 0).all()
    np.testing.assert_allclose(trained.answers.sum(axis=1), 1, atol=1e-5)


def test_a_number_that_only_raises_the_answer_is_learned_with_what_it_depends_on(train: Any, tmp_path: Path) -> None:
    problem = write(tmp_path, {"name": "price", "task": "regression"}, size="up")
    prepared, trained = train(problem)
    assert trained.scores["r2"] > 0.9
    answers = follow(prepared, trained.network, "size")
    assert fall(answers) <= ROUNDING
    rises = answers[:, -1, 0] - answers[:, 0, 0]
    inner = (prepared.parts.test["town"].head(len(rises)) == "inner").to_numpy()
    assert rises[inner].min() > 2 * rises[~inner].max()


@pytest.mark.parametrize("target", [{"name": "price", "task": "regression"}, {"name": "dear", "task": "binary"}])
def test_a_direction_holds_against_what_the_table_says(target: dict[str, Any], tmp_path: Path) -> None:
    prepared, trained = train_in_memory(write(tmp_path, target, size="down", age="up"))
    assert fall(-follow(prepared, trained.network, "size")) <= ROUNDING
    assert fall(follow(prepared, trained.network, "age")) <= ROUNDING


def test_what_is_free_does_both(tmp_path: Path) -> None:
    prepared, trained = train_in_memory(write(tmp_path, {"name": "price", "task": "regression"}, size="up"))
    answers = follow(prepared, trained.network, "age")
    assert fall(answers) > 0.01
    assert fall(-answers) > 0.01


def test_all_features_may_be_monotone(tmp_path: Path) -> None:
    problem = write(tmp_path, {"name": "price", "task": "regression"}, size="up", age="up")
    problem = problem.model_copy(update={"features": {name: problem.features[name] for name in ("size", "age")}})
    prepared, trained = train_in_memory(problem, FitOptions(epochs=3))
    assert fall(follow(prepared, trained.network, "size")) <= ROUNDING


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    problem = write(tmp_path, {"name": "grade", "task": "multiclass", "ordered": GRADES}, size="up")
    networks = [train_in_memory(problem, FitOptions(epochs=2))[1].network for _ in range(2)]
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        assert np.array_equal(one, other)


def test_of_ordered_classes_it_moves_the_probability_of_each_and_all_above(tmp_path: Path) -> None:
    problem = write(tmp_path, {"name": "grade", "task": "multiclass", "ordered": GRADES}, size="up")
    prepared, trained = train_in_memory(problem)
    assert trained.scores["accuracy"] > 0.8
    answers = follow(prepared, trained.network, "size")
    assert fall(answers[:, :, ::-1].cumsum(axis=2)[:, :, :-1]) <= ROUNDING
