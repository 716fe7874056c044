"""Which scale a number is learned on: said, or chosen by training and validation rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ekiben.contract.errors import InvalidTable
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import read_table
from ekiben.training.target_scale import Chosen, choose_scale
from tests.number_tables import FEATURES, make_numbers, prepare_numbers

TABLE = make_numbers()
NOISE = np.random.default_rng(0).normal(size=9 * len(TABLE))[-len(TABLE) :]
STEEP = TABLE.assign(price=np.exp(TABLE["x"] + TABLE["z"] + 0.5 * (TABLE["shop"] == "a") + 0.1 * NOISE))


def choose(path: Path, target: str, scale: str = "auto", table: pd.DataFrame = TABLE) -> Chosen:
    return choose_scale(*prepare_numbers(path / "t.csv", table, target, scale))


def test_a_target_of_many_sizes_is_learned_on_another_scale(tmp_path: Path) -> None:
    chosen = choose(tmp_path, "price", table=STEEP)
    assert chosen.link.scale in ("log", "sqrt")
    assert chosen.sentence.startswith("“price” is learned on a ")
    assert " scale: validation RMSE " in chosen.sentence
    assert " in place of " in chosen.sentence
    assert choose(tmp_path, "price", table=STEEP) == chosen


def test_a_target_that_may_be_below_0_is_learned_as_it_is(tmp_path: Path) -> None:
    chosen = choose(tmp_path, "change")
    assert (chosen.link.scale, chosen.link.low, chosen.link.high) == ("linear", -np.inf, np.inf)
    assert chosen.sentence == "“change” is learned as it is"


def test_where_no_scale_is_clearly_better_it_is_the_targets_own(tmp_path: Path) -> None:
    even = TABLE.assign(price=20 + TABLE["change"] - TABLE["change"].min())
    chosen = choose(tmp_path, "price", table=even)
    assert chosen.link.scale == "linear"
    assert chosen.sentence.startswith("“price” is learned as it is: validation RMSE ")


@pytest.mark.parametrize(
    ("target", "bounds"), [("visits", (0, np.inf)), ("share", (0, 1)), ("price", (-np.inf, np.inf))]
)
def test_counts_and_shares_have_bounds_unless_the_file_says_linear(
    target: str, bounds: tuple[float, float], tmp_path: Path
) -> None:
    link = choose(tmp_path, target).link
    assert (link.low, link.high) == bounds
    as_it_is = choose(tmp_path, target, "linear").link
    assert (as_it_is.scale, as_it_is.low, as_it_is.high) == ("linear", -np.inf, np.inf)


@pytest.mark.parametrize("scale", ["log", "sqrt", "logit"])
def test_what_is_said_is_done(scale: str, tmp_path: Path) -> None:
    target = "share" if scale == "logit" else "price"
    chosen = choose(tmp_path, target, scale)
    assert chosen.link.scale == scale
    assert "as [target] scale says" in chosen.sentence


def test_test_rows_have_no_say(tmp_path: Path) -> None:
    problem, prepared = prepare_numbers(tmp_path / "t.csv", TABLE, "visits")
    strange = np.full(len(prepared.labels[2]), -0.5)
    others = replace(
        prepared,
        parts=replace(prepared.parts, test=prepared.parts.test.head(0)),
        labels=(*prepared.labels[:2], strange),
    )
    assert choose_scale(problem, others) == choose_scale(problem, prepared)


REJECTED = [
    ("change", "log", "numbers above 0, or whole numbers from 0 on"),
    ("share", "log", "numbers above 0, or whole numbers from 0 on"),
    ("change", "sqrt", "numbers from 0 on"),
    ("visits", "logit", "numbers from 0 to 1"),
]


@pytest.mark.parametrize(("target", "scale", "needs"), REJECTED)
def test_labels_without_a_place_on_the_scale_are_one_sentence(
    target: str, scale: str, needs: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidTable) as raised:
        choose(tmp_path, target, scale)
    assert f'[target] scale = "{scale}" needs {needs}' in str(raised.value)
    assert str(raised.value).startswith(f"`{target}` is ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "scale", "sentence"),
    [
        ("binary", "log", "scale: it is for numbers, and a binary target has classes: leave it out"),
        ("multiclass", "linear", "scale: it is for numbers, and a multiclass target has classes: leave it out"),
        ("regression", "rank", "Input should be 'auto'"),
    ],
)
def test_a_scale_of_classes_and_one_that_there_is_not_are_rejected(task: str, scale: str, sentence: str) -> None:
    given = {"name": "t", "source": {"path": "t.csv"}, "features": FEATURES}
    with pytest.raises(ValidationError) as raised:
        ProblemConfig.model_validate(given | {"target": {"name": "y", "task": task, "scale": scale}})
    (error,) = raised.value.errors()
    assert error["loc"][0] == "target"
    assert sentence in error["msg"]


def test_few_rows_choose_nothing(tmp_path: Path) -> None:
    chosen = choose(tmp_path, "price", table=STEEP.head(300))
    assert chosen.sentence == "“price” is learned as it is"


def test_a_row_that_weighs_nothing_has_no_say(tmp_path: Path) -> None:
    wild = np.arange(len(TABLE)) % 3 == 0
    table = TABLE.assign(
        price=np.where(wild, STEEP["price"] * 1e3, 20 + TABLE["change"]), weight=np.where(wild, 1e-9, 1)
    )
    chosen = choose_scale(*prepare_numbers(tmp_path / "t.csv", table[table["price"] > 0], "price", weight="weight"))
    assert chosen.link.scale == "linear"


def test_a_table_on_disk_is_learned_on_the_same_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "home"))
    problem, prepared = prepare_numbers(tmp_path / "t.csv", STEEP, "price")
    with open_room(Budget(BASE_BYTES + 100)) as room:
        table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
        assert table.on_disk
        on_disk: Prepared = prepare_on_disk(problem, table, room, lambda _: None)
        assert choose_scale(problem, on_disk).link.scale == choose_scale(problem, prepared).link.scale
