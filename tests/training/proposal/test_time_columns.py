"""What `init` makes of columns that say when: which to split by, which only follow it, which cycles there are."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.preparation import prepare
from ekiben.training.problem import InvalidProblem, read_problem
from ekiben.training.tables.read import read_table
from tests.training.proposal.conftest import ROWS, Proposed, ProposeTable

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, ROWS)).round(3)
ORDER = RANDOM.permutation(ROWS)
INDEX = np.arange(ROWS)
DAYS = [datetime(2013, 1, 1) + timedelta(days=int(day)) for day in INDEX]  # less than a year
MOMENTS = [datetime(2019, 5, 1) + timedelta(seconds=int(second)) for second in RANDOM.integers(0, 10**8, ROWS)]


def dated(**columns: Any) -> dict[str, Any]:
    """Columns in the order of their days, beside two that have nothing to do with it."""
    return {"date": [str(day.date()) for day in DAYS], **columns, "x": X, "y": Y}


def shuffled(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: [values[index] for index in ORDER] for name, values in columns.items()}


# The order of time, written once more


@pytest.mark.parametrize(
    "values",
    [
        2013 + INDEX / 365,
        (2013 + INDEX / 365).round(2),
        2456293.5 + INDEX,
        -INDEX * 24.0,
        [day.year * 100 + day.month for day in DAYS],
        [day.month for day in DAYS],
        [day.isocalendar().week for day in DAYS],
        np.sqrt(INDEX + 1),
    ],
)
@pytest.mark.parametrize("mix", [dict, shuffled])
def test_a_number_that_orders_the_rows_as_the_time_does_is_ignored(
    values: Any, mix: Any, propose_for: ProposeTable
) -> None:
    proposed = propose_for(mix(dated(n=list(values))))
    assert proposed.problem.split.time == "date"
    assert proposed.ignored == {"n": "it orders the rows as `date` does: every test row is beyond the training rows"}


@pytest.mark.parametrize("mix", [dict, shuffled])
def test_milliseconds_beside_a_date_are_a_moment_too(mix: Any, propose_for: ProposeTable) -> None:
    proposed = propose_for(mix(dated(n=[int(day.timestamp() * 1000) for day in DAYS])))
    assert (proposed.problem.split.time, proposed.features["n"].kind) == ("date", "timestamp")


def test_the_year_of_the_time_is_ignored(propose_for: ProposeTable) -> None:
    moments = sorted(MOMENTS)
    proposed = propose_for({"at": moments, "year": [at.year for at in moments], "x": X, "y": Y})
    assert (
        proposed.ignored["year"] == "it is the year of `at`: that of rows to come is beyond those of the training rows"
    )


def test_the_name_of_the_month_follows_the_time_of_less_than_a_year(propose_for: ProposeTable) -> None:
    proposed = propose_for(dated(month=[day.strftime("%b") for day in DAYS]))
    assert proposed.ignored["month"] == "it follows `date`: hardly a test row has a value that any training row has"


@pytest.mark.parametrize(
    "values",
    [
        INDEX * 0.1 + RANDOM.normal(0, 2, ROWS),  # a trend and noise
        20 + 10 * np.sin(INDEX / 40),
        RANDOM.integers(0, 12, ROWS),
        RANDOM.choice(["Jan", "Feb", "Mar"], ROWS),
        INDEX >= 150,  # since the new rule
        [day.day for day in DAYS],
        [day.strftime("%a") for day in DAYS],
    ],
)
def test_what_only_has_a_trend_is_kept(values: Any, propose_for: ProposeTable) -> None:
    proposed = propose_for(dated(measured=list(values)))
    assert set(proposed.features) == {"date", "measured", "x"}
    assert "training rows" not in proposed.text


def test_a_measurement_that_never_falls_is_kept_with_a_doubt(propose_for: ProposeTable) -> None:
    meter = np.cumsum(RANDOM.gamma(2, 30, ROWS)).round(1)
    proposed = propose_for(shuffled(dated(meter=meter, left=9e5 - meter)))
    assert proposed.remark("meter").endswith("it only rises with `date`: test rows are beyond the training rows")
    assert proposed.remark("left").endswith("it only falls with `date`: test rows are beyond the training rows")


def test_without_a_time_to_split_by_nothing_follows_it(propose_for: ProposeTable) -> None:
    proposed = propose_for(shuffled({"date_num": 2013 + INDEX / 365, "x": X, "y": Y}))
    assert set(proposed.features) == {"date_num", "x"}


# Times to split by


@pytest.mark.parametrize(
    ("name", "values", "format"),
    [
        ("timestamp", [int(at.timestamp()) for at in MOMENTS], "epoch_s"),
        ("unix", [int(at.timestamp()) for at in MOMENTS], "epoch_s"),
        ("ts", [at.timestamp() + 0.25 for at in MOMENTS], "epoch_s"),
        ("ts", [int(at.timestamp() * 1000) for at in MOMENTS], "epoch_ms"),
        ("q", sorted(int(at.timestamp()) for at in MOMENTS), "epoch_s"),
        ("q", [int(day.timestamp()) * 1000 for day in DAYS], "epoch_ms"),
    ],
)
def test_seconds_since_1970_are_a_time_to_split_by(
    name: str, values: Any, format: str, propose_for: ProposeTable
) -> None:
    proposed = propose_for({name: values, "x": X, "y": Y})
    assert (proposed.problem.split.time, proposed.features[name].format) == (name, format)
    check_that_training_splits(proposed)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("amount", RANDOM.integers(1_400_000_000, 1_600_000_000, ROWS)),
        ("population", RANDOM.choice([1_588_896_000, 1_588_982_400], ROWS)),
        ("customer_id", 1_500_000_000 + 77 * INDEX),
    ],
)
def test_large_numbers_are_not_all_seconds(name: str, values: Any, propose_for: ProposeTable) -> None:
    assert propose_for({name: values, "x": X, "y": Y}).problem.split.time is None


PARTS = {"year": [at.year for at in MOMENTS], "month": [at.month for at in MOMENTS], "day": [at.day for at in MOMENTS]}


@pytest.mark.parametrize(
    ("columns", "time"),
    [
        (PARTS, ("year", "month", "day")),
        (PARTS | {"hour": [at.hour for at in MOMENTS]}, ("year", "month", "day", "hour")),
        ({"Year": PARTS["year"], "Month": [at.strftime("%B") for at in MOMENTS]}, ("Year", "Month")),
        ({"YrSold": PARTS["year"], "MoSold": PARTS["month"], "YearBuilt": PARTS["year"]}, ("YrSold", "MoSold")),
        ({"yr": [2013] * ROWS, "mon": PARTS["month"], "dayofmonth": PARTS["day"]}, ("yr", "mon", "dayofmonth")),
        ({"year": sorted(PARTS["year"])}, ("year",)),
    ],
)
def test_year_month_and_day_are_a_time_to_split_by(
    columns: dict[str, Any], time: tuple[str, ...], propose_for: ProposeTable
) -> None:
    proposed = propose_for(columns | {"x": X, "y": Y})
    assert proposed.problem.split.time == time
    assert time[0] in proposed.ignored
    check_that_training_splits(proposed)


@pytest.mark.parametrize(
    "columns",
    [
        {"year": PARTS["year"]},
        {"month": PARTS["month"], "day": PARTS["day"]},
        {"year": [at.year - 2019 for at in MOMENTS], "month": PARTS["month"]},
        {"year": PARTS["year"], "month": [*PARTS["month"][:-1], 13]},
        {"year": PARTS["year"], "month": [2] * ROWS, "day": [30] * ROWS},
        {"year": [*PARTS["year"][:-1], None], "month": PARTS["month"]},
        {"built_year": PARTS["year"], "sold_month": PARTS["month"]},
    ],
)
def test_what_is_no_whole_date_is_no_time_to_split_by(columns: dict[str, Any], propose_for: ProposeTable) -> None:
    assert propose_for(columns | {"x": X, "y": Y}).problem.split.time is None


def test_a_column_of_dates_is_preferred_to_its_parts(propose_for: ProposeTable) -> None:
    proposed = propose_for({"at": MOMENTS, **PARTS, "x": X, "y": Y})
    assert proposed.problem.split.time == "at"


def test_two_years_are_a_question(propose_for: ProposeTable) -> None:
    columns = {f"{name}_{part}": values for name in ("built", "sold") for part, values in PARTS.items()}
    assert "# No [split]: more than one year says when" in propose_for(columns | {"x": X, "y": Y}).text


def test_two_columns_in_one_order_are_no_question(propose_for: ProposeTable) -> None:
    later = [at + timedelta(hours=1) for at in MOMENTS]
    proposed = propose_for({"begun": MOMENTS, "ended": later, "x": X, "y": Y})
    assert proposed.problem.split.time == "begun"
    other = propose_for({"begun": MOMENTS, "ended": later[::-1], "x": X, "y": Y})
    assert "more than one column says when" in other.text


SPLIT = """
name = "t"
[source]
path = "t.csv"
[target]
name = "y"
task = "regression"
[split]
{split}
[features]
"x" = {{ kind = "number" }}
"""


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ('time = ["year", "year"]', "a column stands there twice"),
        ('time = ["year", "month"]\nformat = "%Y"', "are of one column of timestamps"),
        ("time = []", "time"),
    ],
)
def test_parts_of_a_time_that_make_none_are_rejected(split: str, message: str, tmp_path: Any) -> None:
    (tmp_path / "problem.toml").write_text(SPLIT.format(split=split))
    with pytest.raises(InvalidProblem, match=message) as caught:
        read_problem(tmp_path / "problem.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("day", ["30", "0", "x", "1.5"])
def test_a_row_whose_parts_are_no_date_is_named(day: str, tmp_path: Any) -> None:
    (tmp_path / "problem.toml").write_text(SPLIT.format(split='time = ["year", "month", "day"]'))
    rows = [f"2013,2,{1 + n % 28},{n},{n}" for n in range(60)]
    rows[6] = f"2013,2,{day},1,1"
    (tmp_path / "t.csv").write_text("\n".join(["year,month,day,x,y", *rows]))
    with pytest.raises(InvalidTable) as caught:
        read_table(read_problem(tmp_path / "problem.toml"), lambda _: None)
    assert str(caught.value).startswith(
        f"row 7 has `year` 2013, `month` 2, `day` {day}: expected the numbers of a date"
    )


def check_that_training_splits(proposed: Proposed) -> None:
    """The test rows are later than all others."""
    problem = proposed.problem
    parts = prepare(problem, read_table(problem, lambda _: None), say=lambda _: None).parts
    assert problem.split.moment
    assert parts.train[problem.split.moment].max() < parts.test[problem.split.moment].min()


# Cycles


@pytest.mark.parametrize(
    ("values", "cycles"),
    [
        ([str(at.date()) for at in MOMENTS], ("weekday", "day_of_year")),
        ([f"{at.date()} 12:00:00" for at in MOMENTS], ("weekday", "day_of_year")),
        ([f"{at:%Y-%m}" for at in MOMENTS], ("day_of_year",)),
        ([f"{at.isocalendar().year}-W{at.isocalendar().week:02}" for at in MOMENTS], ("day_of_year",)),
        ([str(day.date()) for day in DAYS], ("weekday",)),
        (MOMENTS, ()),
    ],
)
def test_only_cycles_that_there_are_become_inputs(
    values: Any, cycles: tuple[str, ...], propose_for: ProposeTable
) -> None:
    assert propose_for({"when": values, "x": X, "y": Y}).features["when"].cycles == cycles  # none: all


def test_a_date_without_any_cycle_only_splits(propose_for: ProposeTable) -> None:
    proposed = propose_for({"when": [f"{day:%m/%Y}" for day in DAYS], "x": X, "y": Y})
    assert (proposed.problem.split.time, proposed.problem.split.format) == ("when", "%m/%Y")
    assert proposed.ignored["when"] == "it only puts the rows in order: in its dates there is no cycle to learn"
    check_that_training_splits(proposed)
