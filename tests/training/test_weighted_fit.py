"""What a row counts for in the fit: as many rows as its weight says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.fitting import fit, fit_and_score, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.fitting import fit_from_disk
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import read_table

ROWS = 4000
OPTIONS = FitOptions(epochs=4)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=ROWS).round(4)
WRONG = RANDOM.random(ROWS) < 0.6  # of the labels: most of them, so that a fit to all rows learns the contrary
Y = (X > 0) ^ WRONG
FEATURES = {"x": {"kind": "number"}}


def write(path: Path, rows: np.ndarray, weights: np.ndarray, **changes: object) -> ProblemConfig:
    """Write the rows in these positions, and return the problem of predicting their labels."""
    pd.DataFrame({"x": X, "y": Y, "w": weights}).iloc[rows].to_csv(path, index=False)
    given = {"name": "t", "source": {"path": path}, "target": {"name": "y", "task": "binary"}, "features": FEATURES}
    return ProblemConfig.model_validate(given | {"weight": "w"} | changes)


def prepare_quietly(problem: ProblemConfig) -> Prepared:
    return prepare(problem, read_table(problem, lambda _: None), say=lambda _: None)


def score(problem: ProblemConfig) -> dict[str, float]:
    return fit_and_score(problem, prepare_quietly(problem), OPTIONS).scores


EVERY = np.arange(ROWS)


def test_what_is_missed_may_be_among_the_rows_of_weight_0(tmp_path: Path) -> None:
    problem = write(tmp_path / "t.csv", EVERY, np.where(Y, 0.0, 1.0))
    said = r"`y` is False in all .* rows: there is nothing .* \(left out: 2,0\d\d rows whose `w` is 0\)"
    with pytest.raises(InvalidTable, match=said):
        prepare_quietly(problem)
    alike = write(tmp_path / "alike.csv", EVERY[~Y], ALIKE)
    with pytest.raises(InvalidTable, match=r"name another column in \[target\]$"):
        prepare_quietly(alike)


ALIKE = np.ones(ROWS)
LIGHT = np.where(WRONG, 0.001, 1.0)


@pytest.mark.slow
def test_wrong_rows_that_weigh_little_do_as_little_harm_as_if_they_were_not_there(tmp_path: Path) -> None:
    light = score(write(tmp_path / "light.csv", EVERY, LIGHT))
    without = score(write(tmp_path / "without.csv", EVERY[~WRONG], ALIKE))
    alike = score(write(tmp_path / "alike.csv", EVERY, ALIKE))
    assert without["auc"] > 0.99
    assert light["auc"] == pytest.approx(without["auc"], abs=0.01)
    assert alike["auc"] < 0.75, "the wrong rows are of no harm: the test tests nothing"


@pytest.mark.slow
def test_a_row_of_weight_2_is_learned_as_two_rows(tmp_path: Path) -> None:
    twice = np.where(Y, 2, 1)  # so that late rows are more likely, and the probabilities say so
    weighted = write(tmp_path / "weighted.csv", EVERY, twice)
    repeated = write(tmp_path / "repeated.csv", np.repeat(EVERY, twice), ALIKE)
    plain = write(tmp_path / "plain.csv", EVERY, ALIKE)
    means = [score(problem)["mean_probability"] for problem in (weighted, repeated, plain)]
    assert means[0] == pytest.approx(means[1], abs=0.03)
    assert means[0] > means[2] + 0.1


@pytest.mark.slow
def test_without_weights_the_network_is_the_one_of_equal_weights(tmp_path: Path) -> None:
    equal = write(tmp_path / "t.csv", EVERY, ALIKE)
    plain = equal.model_copy(update={"weight": None})
    networks = [fit(problem, prepare_quietly(problem), FitOptions(epochs=1)).network for problem in (equal, plain)]
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_rows_on_disk_count_by_their_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "home"))
    problem = write(tmp_path / "light.csv", EVERY, LIGHT)
    with open_room(Budget(BASE_BYTES + 100)) as room:
        table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
        assert table.on_disk
        prepared = prepare_on_disk(problem, table, room, lambda _: None)
        network = fit_from_disk(problem, prepared, OPTIONS).network
        assert score_network(prepared, network).scores["auc"] > 0.98
