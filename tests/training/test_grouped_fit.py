"""Rows that belong together, from the problem file to the trees that teach the network."""

import keras
import numpy as np
import pandas as pd
import pytest

from ekiben.training.fitting import fit
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import read_table

ROWS, CUSTOMERS = 600, 60
TAUGHT = FitOptions(epochs=11)  # of fewer there is no teacher
UNTAUGHT = FitOptions(epochs=2)


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> ProblemConfig:
    random = np.random.default_rng(0)
    customer = np.arange(ROWS) % CUSTOMERS
    age, late = random.normal(40, 9, CUSTOMERS)[customer], random.integers(0, 2, CUSTOMERS)[customer]
    path = tmp_path_factory.mktemp("grouped") / "shop.csv"
    pd.DataFrame({"age": age.round(4), "customer": customer, "late": late.astype(bool)}).to_csv(path, index=False)
    features = {"age": {"kind": "number"}}
    given = {"name": "t", "source": {"path": path}, "target": {"name": "late", "task": "binary"}, "features": features}
    return ProblemConfig.model_validate(given | {"split": {"group": "customer"}})


def are_alike(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(mine, its) for mine, its in zip(one.get_weights(), other.get_weights(), strict=True))


def choose(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> keras.Model:
    return fit(problem, prepared, options).choosing  # all towers learn together; those kept may have no teacher


@pytest.mark.slow
def test_the_teacher_of_a_network_knows_the_groups(problem: ProblemConfig) -> None:
    prepared = prepare(problem, read_table(problem, lambda _: None), say=lambda _: None)
    split = problem.split.model_copy(update={"group": None})
    by_row = problem.model_copy(update={"split": split})
    once, again, other = (choose(asked, prepared, TAUGHT) for asked in (problem, problem, by_row))
    assert are_alike(once, again)
    assert not are_alike(once, other)
    assert are_alike(*(choose(asked, prepared, UNTAUGHT) for asked in (problem, by_row)))
