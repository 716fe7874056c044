"""Groups of rows that a split keeps together: at random, and by time."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.errors import InvalidTable
from ekiben.training.dataset.split import Parts, split_table
from ekiben.training.split_config import Split

RANDOM = np.random.default_rng(0)
AT_RANDOM = Split(group="who")


def make_table(groups: list[int | str | None], **columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"who": pd.Series(groups, dtype="object").astype("category"), "x": range(len(groups)), **columns}
    )


def list_groups(parts: Parts) -> list[set[str]]:
    return [set(part["who"].dropna()) for part in (parts.train, parts.validation, parts.test)]


def count_rows(parts: Parts) -> list[int]:
    return [len(part) for part in (parts.train, parts.validation, parts.test)]


@given(
    sizes=st.lists(st.integers(1, 12), min_size=30, max_size=80),
    shares=st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)),
    seed=st.integers(0, 3),
)
def test_a_group_is_in_one_part_and_no_row_is_lost(sizes: list[int], shares: tuple[float, float], seed: int) -> None:
    table = make_table(np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).tolist())
    split = Split(group="who", validation=shares[0], test=shares[1])
    parts = split_table(table, split, table["x"].to_numpy() % 2, seed)
    train, validation, test = list_groups(parts)
    assert len(train | validation | test) == len(train) + len(validation) + len(test)
    assert sorted(pd.concat([parts.train, parts.validation, parts.test])["x"]) == list(range(len(table)))
    off = max(sizes) / len(table) + 0.02
    assert abs(len(parts.validation) / len(table) - shares[0]) <= off
    assert abs(len(parts.test) / len(table) - shares[1]) <= off


def test_each_part_gets_its_share_of_a_class_that_few_groups_are_of() -> None:
    groups = np.repeat(np.arange(200), 5)
    rare = (groups % 10 == 0).astype(int)
    parts = split_table(make_table(groups.tolist()), AT_RANDOM, rare)
    for part in (parts.validation, parts.test):
        assert rare[part["x"]].mean() == pytest.approx(0.1, abs=0.04)


def test_the_same_seed_gives_the_same_cut_and_another_another() -> None:
    table = make_table(RANDOM.integers(0, 90, 600).tolist())
    cuts = [list_groups(split_table(table, AT_RANDOM, None, seed)) for seed in (0, 0, 1)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_a_large_group_is_trained_on() -> None:
    table = make_table(["chain"] * 500 + [f"shop {index // 4}" for index in range(500)])
    parts = split_table(table, AT_RANDOM)
    assert "chain" in list_groups(parts)[0]
    assert count_rows(parts) == pytest.approx([700, 150, 150], abs=8)


def test_a_row_without_a_group_is_one_of_its_own() -> None:
    parts = split_table(make_table([None] * 90 + ["a"] * 10), AT_RANDOM)
    assert all(part["who"].isna().any() for part in (parts.train, parts.validation, parts.test))


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (["a"] * 100, "`who`: all 100 rows are of one group, 'a': none would be left"),
        (["a"] * 50 + ["b"] * 50, "`who`: there are only 2 groups: none would be left"),
        (["a"] * 97 + ["b"] * 1 + ["c"] * 2, ""),
        (["a"] * 50 + ["b"] * 30 + ["c"] * 20, "`who`: the group 'a' has 50% of the 100 rows: none would be left"),
    ],
)
def test_groups_that_can_not_be_cut_are_rejected(groups: list[str], told: str) -> None:
    if not told:
        assert min(count_rows(split_table(make_table(groups), AT_RANDOM))) > 0
        return
    with pytest.raises(InvalidTable) as caught:
        split_table(make_table(groups), AT_RANDOM)
    assert str(caught.value).startswith(told)
    assert str(caught.value).endswith("to validate and test on; split by another column")


DAYS = pd.date_range("2013-01-01", periods=100)
BY_TIME = Split(time="when", group="who", validation=0.2, test=0.2)


def test_by_time_a_group_keeps_the_rows_of_the_part_that_has_most() -> None:
    groups = [f"of day {index}" for index in range(100)]
    groups[58], groups[59], groups[60] = ["most before"] * 3
    groups[78], groups[80], groups[81] = ["most after"] * 3
    groups[57], groups[99] = ["as many"] * 2
    parts = split_table(make_table(groups, when=DAYS), BY_TIME)
    assert [sorted(part["x"]) for part in (parts.train, parts.validation, parts.test)] == [
        [*range(57), 58, 59],
        [*range(61, 78), 79],
        [*range(80, 100)],
    ]
    dated = Split(time="when", group="who", validate_from=date(2013, 3, 2), test_from=date(2013, 3, 22))
    assert split_table(make_table(groups, when=DAYS), dated).test.equals(parts.test)


def test_groups_that_are_there_all_the_time_leave_nothing_to_test_on() -> None:
    with pytest.raises(InvalidTable) as caught:
        split_table(make_table([f"g{index % 5}" for index in range(100)], when=DAYS), BY_TIME)
    assert str(caught.value) == (
        "`who`: no rows are left to validate on: each group that has some has more in another part; "
        "split by time alone, or by group alone"
    )
