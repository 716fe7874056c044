"""Columns that only together give the target away, names that are written as numbers, and honest siblings of both."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ekiben.training.problem import read_problem
from tests.training.proposal.conftest import ROWS, ProposeTable

RANDOM = np.random.default_rng(1)
X, NOISE = RANDOM.normal(size=(2, ROWS)).round(3)
A, B = RANDOM.gamma(3, 2, (2, ROWS)).round(2) + 1
C, D = RANDOM.normal(size=(2, ROWS)).round(3)
SHARES = RANDOM.random((3, ROWS)).round(4)
CASUAL, REGISTERED = RANDOM.poisson(50, ROWS), RANDOM.poisson(200, ROWS)
BEGUN = [datetime(2020, 1, 1) + timedelta(seconds=int(second)) for second in RANDOM.integers(0, 10**7, ROWS)]
TOOK = RANDOM.integers(60, 9000, ROWS)
ENDED = [at + timedelta(seconds=int(seconds)) for at, seconds in zip(BEGUN, TOOK, strict=True)]
HAS_ALL = RANDOM.random(ROWS) < 0.9


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"a": CASUAL, "b": REGISTERED}, CASUAL + REGISTERED),
        ({"a": A, "b": B}, A - B),
        ({"a": A, "b": B}, (A + B) / 2),
        ({"a": A, "b": B}, (1.19 * (A + B)).round(1)),
        ({"a": SHARES[0], "b": SHARES[1], "c": SHARES[2]}, (SHARES.T @ [0.2, 0.3, 0.5]).round(3)),
        ({"a": A, "b": B}, (A * B).round(2)),
        ({"a": A, "b": B}, A / B),
        ({"a": A, "b": B}, A / (A + B)),
        ({"a": A, "b": B}, (A - B) / B),
        ({"a": A, "b": B, "c": C}, A * B + 3 * C),
        ({"a": C, "b": D}, C * D),
        ({"a": C, "b": D}, np.maximum(C, D)),
        ({"a": C}, C**2),
        ({"a": np.where(HAS_ALL, A, np.nan), "b": B}, np.where(HAS_ALL, A + B, np.nan)),
    ],
)
def test_columns_that_are_the_target_together_are_ignored(
    columns: dict[str, Any], target: Any, propose_for: ProposeTable
) -> None:
    proposed = propose_for({**columns, "x": X, "y": target})
    assert list(proposed.features) == ["x"]
    assert set(proposed.ignored) == set(columns)
    for name, reason in proposed.ignored.items():
        assert reason.startswith("gives the target away ")
        assert all(f"`{other}`" in reason for other in columns if other != name)
        assert reason.endswith("a feature if known beforehand")


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"a": A, "b": B}, np.where(HAS_ALL, A + B, RANDOM.permutation(A + B))),  # a sum in nine rows of ten
        ({"a": A, "b": B}, A + B + NOISE),
        ({"a": A, "b": B}, A * B * np.exp(0.2 * NOISE)),
        ({"a": A, "b": A + NOISE}, A + RANDOM.normal(size=ROWS)),
        ({"a": C, "b": C + 0.2 * NOISE, "c": 2 * C - NOISE}, C + 0.5 * D),
        ({"a": C, "b": D}, (C + D > 0) * 2.5 + NOISE),
        ({"a": [*A[:-1], 1e6], "b": B}, [*NOISE[:-1], 1e6]),  # of which only one enormous row is alike
    ],
)
def test_columns_that_only_correlate_with_the_target_are_kept(
    columns: dict[str, Any], target: Any, propose_for: ProposeTable
) -> None:
    proposed = propose_for({**columns, "x": X, "y": target})
    assert list(proposed.features) == [*columns, "x"]
    assert proposed.ignored == {}
    assert "gives the target away" not in proposed.text


def test_the_end_gives_a_duration_away_where_the_beginning_is_known(propose_for: ProposeTable) -> None:
    proposed = propose_for({"begun": BEGUN, "ended": ENDED, "x": X, "y": TOOK}, time="begun")
    assert set(proposed.features) == {"begun", "x"}
    assert "together with `begun`: R² 1.000 of a weighted sum" in proposed.ignored["ended"]


def test_the_later_of_two_dates_gives_a_class_away(propose_for: ProposeTable) -> None:
    came = [at + timedelta(minutes=int(minutes)) for at, minutes in zip(ENDED, RANDOM.normal(0, 20, ROWS), strict=True)]
    late = [one > other + timedelta(minutes=5) for one, other in zip(came, ENDED, strict=True)]
    proposed = propose_for({"promised": ENDED, "came": came, "x": X, "late": late}, "late", time="promised")
    assert set(proposed.features) == {"promised", "x"}
    assert "together with `promised`: a threshold of their difference" in proposed.ignored["came"]
    late = [one ^ (index % 20 == 0) for index, one in enumerate(late)]
    other = propose_for({"promised": ENDED, "came": came, "x": X, "late": late}, "late", time="promised")
    assert set(other.features) == {"promised", "came", "x"}


def test_what_the_time_tells_is_no_leak(propose_for: ProposeTable) -> None:
    days = np.arange(ROWS)
    dates = [datetime(2019, 1, 1) + timedelta(days=int(day)) for day in days]
    level = days + 8 * NOISE
    proposed = propose_for({"day": dates, "level": level, "x": X, "y": 3 * days + NOISE})
    assert set(proposed.features) == {"day", "level", "x"}


@pytest.mark.parametrize("numbers", [True, False])
def test_a_category_whose_few_rows_each_have_one_target_is_a_leak(numbers: bool, propose_for: ProposeTable) -> None:
    of_row = RANDOM.integers(0, 140, ROWS)  # two rows of each
    told = RANDOM.normal(size=140).round(3) if numbers else RANDOM.choice(["no", "yes"], 140)
    target = told[of_row]
    proposed = propose_for({"made": [f"k{value}" for value in of_row], "x": X, "y": target})
    assert list(proposed.features) == ["x"]
    assert proposed.ignored["made"].startswith("gives the target away: ")
    mixed = np.where(RANDOM.random(ROWS) < 0.9, target, RANDOM.permutation(target))
    honest = propose_for({"made": [f"k{value}" for value in of_row], "x": X, "y": mixed})
    assert list(honest.features) == ["made", "x"]


def test_a_sum_among_a_thousand_columns_is_found(propose_for: ProposeTable) -> None:
    table = RANDOM.normal(size=(2000, 1000)).round(3)
    columns = {f"c{index}": table[:, index] for index in range(1000)}
    proposed = propose_for({**columns, "y": table[:, 7] + table[:, 77] - 2 * table[:, 777]})
    assert set(proposed.ignored) == {"c7", "c77", "c777"}


# Rows' numbers and names


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("r", np.cumsum(RANDOM.integers(1, 4, ROWS)), "a row number with gaps"),
        ("r", 5000 - np.cumsum(RANDOM.integers(1, 4, ROWS)), "a row number with gaps"),
        ("rownames", np.cumsum(RANDOM.integers(1, 4, ROWS)), "an identifier, by its name"),
        ("rownames", np.cumsum(RANDOM.integers(1, 90, ROWS)), "an identifier, by its name"),
        ("id", 9**6 - np.cumsum(RANDOM.integers(1, 90, ROWS)), "an identifier, by its name"),
    ],
)
def test_a_row_number_may_have_gaps(name: str, values: Any, reason: str, propose_for: ProposeTable) -> None:
    proposed = propose_for({name: values, "x": X, "y": NOISE})
    assert list(proposed.features) == ["x"]
    assert proposed.ignored[name].startswith(reason)


@pytest.mark.parametrize(
    "values",
    [
        np.cumsum(RANDOM.integers(50, 900, ROWS)),  # of an odometer
        RANDOM.permutation(np.cumsum(RANDOM.integers(1, 4, ROWS))),
        np.cumsum(RANDOM.integers(0, 3, ROWS)),
        np.cumsum(RANDOM.gamma(2, 2, ROWS)).round(1),
    ],
)
def test_a_measurement_that_rises_is_no_row_number(values: Any, propose_for: ProposeTable) -> None:
    assert list(propose_for({"measured": values, "x": X, "y": NOISE}).features) == ["measured", "x"]


@pytest.mark.parametrize("name", ["userId", "movieid", "PULocationID", "zone", "zip_code", "id_shop", "product_key"])
def test_whole_numbers_that_are_called_names_are_categories(name: str, propose_for: ProposeTable) -> None:
    proposed = propose_for({name: RANDOM.integers(1, 60, ROWS), "x": X, "y": NOISE})
    assert proposed.features[name].kind == "category"
    assert "names rather than quantities, by the column's name" in proposed.remark(name)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("region", RANDOM.integers(1, 5, ROWS)),
        ("flight_number", RANDOM.integers(1, 90, ROWS)),
        ("z", RANDOM.choice([101, 205, 307, 411], ROWS)),
    ],
)
def test_whole_numbers_that_may_be_names_are_a_question(name: str, values: Any, propose_for: ProposeTable) -> None:
    proposed = propose_for({name: values, "x": X, "y": NOISE})
    assert proposed.features[name].kind == "number"
    assert 'a name or a quantity? a name is kind = "category"' in proposed.remark(name)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("num_rooms", RANDOM.integers(1, 9, ROWS)),
        ("number_of_children", RANDOM.integers(0, 5, ROWS)),
        ("paid", RANDOM.integers(1, 9, ROWS)),
        ("humid", RANDOM.integers(20, 90, ROWS)),
        ("minutes", RANDOM.choice([150, 300, 450], ROWS)),
        ("user_id", RANDOM.integers(1, 60, ROWS) + 0.5),
    ],
)
def test_quantities_are_numbers_without_a_question(name: str, values: Any, propose_for: ProposeTable) -> None:
    proposed = propose_for({name: values, "x": X, "y": NOISE})
    assert proposed.features[name].kind == "number"
    assert "name" not in proposed.remark(name)


# Groups


@pytest.mark.parametrize("name", ["userId", "customer", "patient_id"])
def test_rows_of_one_name_are_a_question_about_the_split(name: str, propose_for: ProposeTable) -> None:
    numbers = RANDOM.integers(1, 40, ROWS)
    values = [f"c{number}" for number in numbers] if name == "customer" else numbers
    proposed = propose_for({name: values, "x": X, "y": NOISE})
    assert f'# [split]\n# group = "{name}"  # each has 7.' in proposed.text
    assert proposed.problem.split.group is None
    text = proposed.text.replace("# [split]", "[split]").replace("# group", "group")
    kept = [line for line in text.splitlines() if not line.startswith(f'"{name}" = ')]
    proposed.path.write_text("\n".join(kept))
    assert read_problem(proposed.path).split.group == name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("colour", RANDOM.choice(["red", "green", "blue"], ROWS)),
        ("zone", RANDOM.integers(1, 9, ROWS)),
        ("rooms", RANDOM.integers(1, 9, ROWS)),
    ],
)
def test_kinds_are_no_question_about_the_split(name: str, values: Any, propose_for: ProposeTable) -> None:
    assert "# group = " not in propose_for({name: values, "x": X, "y": NOISE}).text
