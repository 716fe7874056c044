"""A column that says for how many rows each stands, and one whose rows stay together, from the file to the scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.checks.gate import reject_unparseable
from ekiben.training.evaluate import score, score_slices
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import InvalidProblem, read_problem
from ekiben.training.tables.read import read_table

ROWS = 200
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=ROWS).round(3)
WHO = RANDOM.integers(0, 40, ROWS)
WEIGHTS = RANDOM.integers(1, 9, ROWS) / 2
PROBLEM = """
name = "t"
weight = "w"
slices = ["who"]
[source]
path = "t.csv"
[target]
name = "y"
task = "{task}"
[split]
group = "who"
[features]
"x" = {{ kind = "number" }}
"""


def read(folder: Path, weights: list[Any], task: str = "regression", said: list[str] | None = None) -> Prepared:
    target = X if task == "regression" else np.where(X > 0, "b", "a")
    lines = [f"{x},{y},{who},{weight}" for x, y, who, weight in zip(X, target, WHO, weights, strict=True)]
    (folder / "t.csv").write_text("\n".join(["x,y,who,w", *lines]))
    (folder / "problem.toml").write_text(PROBLEM.format(task=task))
    problem = read_problem(folder / "problem.toml")
    table = read_table(problem, lambda _: None)
    reject_unparseable(table)
    return prepare(problem, table, say=said.append if said is not None else lambda _: None)


def test_each_part_has_its_weights_and_callers_hear_of_none(tmp_path: Path) -> None:
    prepared = read(tmp_path, list(WEIGHTS))
    assert prepared.schema.names == ("x",)
    parts = (prepared.parts.train, prepared.parts.validation, prepared.parts.test)
    for part, weights in zip(parts, prepared.weights, strict=True):
        np.testing.assert_array_equal(weights, WEIGHTS[part.index])
    assert not set(parts[0]["who"]) & set(parts[2]["who"])


def test_rows_of_weight_0_are_left_out_and_told(tmp_path: Path) -> None:
    said: list[str] = []
    prepared = read(tmp_path, [0, 0, *WEIGHTS[2:]], said=said)
    assert len(prepared.table.frame) == ROWS - 2
    assert "left out: 2 rows whose `w` is 0" in said


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            [*WEIGHTS[:-1], -1],
            "row 200 has the `w` -1: a row can't stand for fewer than none; leave it out, or write 0",
        ),
        ([1, "", *WEIGHTS[2:]], "row 2 has no `w`: write 1 for a row that counts as itself"),
        ([0] * ROWS, "`w` is 0 in all 200 rows: none counts; leave `weight` out"),
        (
            [1, "heavy", *WEIGHTS[2:]],
            "`w`: can't be read as a number in 1 of 200 rows (0.50%), first in row 2: 'heavy'",
        ),
    ],
)
def test_a_weight_that_is_none_is_named(weights: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidTable) as caught:
        read(tmp_path, weights)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_row_of_weight_2_counts_as_two_in_the_scores(task: str, tmp_path: Path) -> None:
    prepared = read(tmp_path, [1, 2] * (ROWS // 2), task)
    target, labels, weights = prepared.schema.target, prepared.labels[2], prepared.weights[2]
    assert weights is not None
    chance = RANDOM.random((len(labels), 1)).astype(np.float32)
    answers = chance if task == "binary" else np.repeat(chance, 3, axis=1)
    twice = np.repeat(np.arange(len(labels)), weights.astype(int))
    weighted, repeated = score(target, labels, answers, weights), score(target, labels[twice], answers[twice])
    compared = weighted.keys() - {"calibration_error"}  # whose bins hold as many rows, whatever their weight
    assert {name: weighted[name] for name in compared} == pytest.approx({n: repeated[n] for n in compared}, rel=1e-6)
    keys = prepared.parts.test["who"].astype(str)
    by_weight = score_slices(target, labels, answers, keys, weights).set_index("value").drop(columns="rows")
    by_rows = score_slices(target, labels[twice], answers[twice], keys.iloc[twice]).set_index("value")
    np.testing.assert_allclose(by_weight, by_rows.loc[by_weight.index, by_weight.columns], rtol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('weight = "w"', 'weight = "x"', "`x` is a feature and the weight: it can only be one"),
        ('weight = "w"', 'weight = "y"', "`y` is the weight, the group, the time or the target: it can only be one"),
        ('weight = "w"', 'weight = "who"', "`who` is the weight, the group, the time or the target"),
        ('group = "who"', 'group = "x"', "`x` is a feature and the group of the split: it can only be one"),
        ('group = "who"', 'group = "y"', "`y` is the weight, the group, the time or the target"),
        ('group = "who"', "group = 1", "group"),
    ],
)
def test_a_column_has_one_role(old: str, new: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(PROBLEM.format(task="regression").replace(old, new))
    with pytest.raises(InvalidProblem, match=message):
        read_problem(tmp_path / "problem.toml")


@pytest.mark.parametrize(("old", "name"), [('weight = "w"', "v"), ('group = "who"', "v")])
def test_a_column_that_is_not_there_is_named(old: str, name: str, tmp_path: Path) -> None:
    read(tmp_path, list(WEIGHTS))
    text = (tmp_path / "problem.toml").read_text().replace(old, f'{old.partition(" ")[0]} = "{name}"')
    (tmp_path / "problem.toml").write_text(text)
    with pytest.raises(InvalidTable, match=f"no column `{name}`"):
        read_table(read_problem(tmp_path / "problem.toml"), lambda _: None)
