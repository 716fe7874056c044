"""The search finds the slice in which a model errs, and says of chance that it is chance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.training.report.conditions import list_conditions
from ekiben.training.report.welch import correct, measure_gap
from ekiben.training.report.worst_slices import Search, search_slices
from tests.reported_tables import HOSTILE, TARGETS, answer_test, make_frame, make_problem, prepare_table

LETTERS = tuple("abcde")


def search(folder: Path, task: str, rows: int = 8000) -> Search | None:
    prepared = prepare_table(make_problem(folder, task, make_frame(rows)))
    return search_slices(prepared.schema, prepared.parts.test, prepared.labels[2], answer_test(prepared))


@pytest.mark.parametrize("task", TARGETS)
def test_the_slice_in_which_a_model_errs_is_found(tmp_path: Path, task: str) -> None:
    found = search(tmp_path, task)
    assert found
    worst = next(one for one in found.found if len(one.conditions) == 1)
    assert (worst.conditions[0].feature, worst.conditions[0].holds) == ("shop", HOSTILE)
    assert worst.sure
    assert worst.gap.interval.low > 0
    assert found.rows == 600


def test_where_nothing_is_wrong_hardly_any_slice_is_sure() -> None:
    """Of thirty tables one or two may have a false one: 5% are promised for a table."""
    schema = Schema(
        name="goods",
        features=(Number(name="size", low=0, high=1), *(Category(name=f"c{i}", vocabulary=LETTERS) for i in range(4))),
        target=Target(name="sold", classes=(False, True)),
    )  # fmt: skip
    sure = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        columns = {f"c{i}": random.choice(LETTERS, 1000) for i in range(4)}
        table = pd.DataFrame({"size": random.random(1000), **columns})
        chances = random.uniform(0.1, 0.9, 1000)
        labels = (random.random(1000) < chances).astype(int)
        found = search_slices(schema, table, labels, chances[:, None])
        assert found
        assert found.searched > 100
        sure += found.sure > 0
    assert sure <= 5


def test_few_rows_are_not_searched(tmp_path: Path) -> None:
    assert search(tmp_path, "binary", 400) is None


def test_every_kind_of_feature_has_conditions() -> None:
    schema = Schema(
        name="goods",
        features=(
            Number(name="size", low=0, high=100, unit="cm", nullable=True),
            Number(name="doors", low=0, high=9),
            Category(name="colour", vocabulary=("", "red"), nullable=True),
            Boolean(name="sale"),
            Timestamp(name="seen"),
        ),
        target=Target(name="sold", classes=(False, True)),
    )
    table = pd.DataFrame(
        {
            "size": [*np.arange(99.0), np.nan],
            "doors": np.arange(100) % 2 + 2.0,
            "colour": ["red", None, "violet", "red"] * 25,
            "sale": np.arange(100) % 2 == 0,
            "seen": pd.date_range("2024-01-01", periods=100, freq="6h"),
        }
    )
    found = {(one.feature, one.holds): int(one.rows.sum()) for one in list_conditions(schema, table)}
    assert found["size", "missing"] == 1
    assert found["size", "0.0000 to 19.60 cm"] == 20
    assert found["doors", "2"] == found["doors", "3"] == 50
    assert found["colour", "missing"] == 25
    assert found["colour", "a value that training never saw"] == 25
    assert found["sale", "True"] == 50
    assert {("seen", "January"), ("seen", "Monday"), ("seen", "6 to 11 h")} <= found.keys()


def test_a_column_without_any_value_has_one_condition() -> None:
    schema = Schema(
        name="goods", features=(Number(name="size", low=0, high=1, nullable=True),),
        target=Target(name="sold", classes=(False, True)),
    )  # fmt: skip
    found = list(list_conditions(schema, pd.DataFrame({"size": np.full(9, np.nan)})))
    assert [(one.holds, int(one.rows.sum())) for one in found] == [("missing", 9)]


def test_p_is_corrected_for_the_number_of_slices() -> None:
    assert correct([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct([]) == []
    assert correct([0.9, 0.8]) == [1, 1]


def test_a_gap_needs_rows_on_both_sides() -> None:
    losses = np.random.default_rng(0).random(100)
    assert measure_gap(np.arange(100) < 10, losses) is None
    gap = measure_gap(np.arange(100) < 50, losses + 1)
    assert gap
    assert gap.interval.low < gap.interval.value < gap.interval.high
    same = measure_gap(np.arange(100) < 50, np.ones(100))
    assert same
    assert same.p_value == 1
