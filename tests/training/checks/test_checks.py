"""What is found of a table before it is trained on: schema skew, value skew, and how they are reported."""

import math
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.config import config_context
from scipy.stats import chi2_contingency

from ekiben.contract.errors import InvalidModel, InvalidTable
from ekiben.contract.feature import FLOAT32_MAX
from ekiben.contract.reference.reference import Reference, load_reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.validation import validate_value
from ekiben.training.checks.drift import Drift, homogeneity_p_value, population_stability_index
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.checks.report import MAX_SHOWN, Report, check_table
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.tables.conversion import ParseFailure

ROWS = 4_000
LATE = Target(name="late", classes=(False, True))
PRICE = Target(name="price", task="regression")
FEATURES: dict[str, dict[str, Any]] = {
    "distance": {"kind": "number", "unit": "miles", "low": 0, "high": 5000},
    "rain": {"kind": "number", "nullable": True},
    "engines": {"kind": "number"},
    "carrier": {"kind": "category"},
    "airport": {"kind": "category", "nullable": True},
    "cargo": {"kind": "boolean"},
    "departure": {"kind": "timestamp"},
}
COLUMNS = (*FEATURES, "late", "remark")  # of the source; the remark is not read
Change = Callable[[pd.DataFrame], pd.DataFrame]


def make_table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    return draw_table(rows, seed).copy()


@cache
def draw_table(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    minutes = random.integers(0, 365 * 24 * 60, rows)
    rain = np.where(random.random(rows) < 0.7, 0, random.exponential(5, rows))
    airports = [f"A{index:03}" for index in range(200)]
    return pd.DataFrame(
        {
            "distance": random.normal(1500, 200, rows).astype(np.float32),
            "rain": np.where(random.random(rows) < 0.05, np.nan, rain).astype(np.float32),
            "engines": np.full(rows, 2, np.float32),
            "carrier": pd.Categorical(random.choice(["UA", "AA", "DL"], rows, p=[0.5, 0.3, 0.2])),
            "airport": pd.Categorical.from_codes(random.integers(-1, 200, rows), categories=airports),
            "cargo": pd.array(random.random(rows) < 0.3, dtype="boolean"),
            "departure": (pd.Timestamp("2013-01-01") + pd.to_timedelta(minutes, unit="min")).astype("datetime64[s]"),
            "late": pd.Categorical(random.random(rows) < 0.25),
        }
    )


@cache
def learned() -> tuple[Schema, Reference]:
    schema = learn_schema("delay", make_table(), LATE, FEATURES)
    return schema, learn_reference(schema, COLUMNS, make_table())


def check(table: pd.DataFrame, parse_failures: tuple[ParseFailure, ...] = (), **options: Any) -> Report:
    schema, reference = learned()
    options = {"columns": [*table, "remark"], "against": "version 3", "reference": reference} | options
    return check_table(options.pop("schema", schema), frame=table, parse_failures=parse_failures, **options)


def skews(report: Report) -> list[tuple[str, str]]:
    return [(skew.column, skew.kind) for skew in report.skews]


def drift_of(report: Report, name: str) -> Drift:
    return next(drift for drift in report.drifts if drift.then.name == name)


def replace(table: pd.DataFrame, column: str, values: Any, rows: Any = slice(None)) -> pd.DataFrame:
    changed = table.copy()
    changed.loc[rows, column] = values
    return changed


# --- nothing wrong ---


def test_a_table_of_the_same_sort_is_as_expected() -> None:
    report = check(make_table(1_000, seed=1))
    assert report.format() == "checked 1,000 rows against version 3: nothing unexpected"
    assert report.metrics()["skews"] == report.metrics()["features_drifted"] == 0


def test_the_first_table_is_only_checked_for_what_can_not_be_read() -> None:
    table = make_table().drop(columns="engines")
    schema = learn_schema("delay", table, LATE, {name: FEATURES[name] for name in table if name in FEATURES})
    report = check(table, schema=schema, reference=None, against="")
    assert report.format() == "checked 4,000 rows: nothing unexpected"
    assert report.drifts == ()
    parse_failure = ParseFailure("distance", 1204, 17, "abc", "a number", of=5000)
    assert skews(check(table, (parse_failure,), schema=schema, reference=None)) == [("distance", "retyped")]


def test_a_table_without_rows_is_rejected() -> None:
    with pytest.raises(InvalidTable):
        check(make_table().head(0))


def test_a_check_leaves_the_table_as_it_is() -> None:
    table = replace(make_table(), "distance", np.nan, 3)
    before = table.copy()
    check(table)
    pd.testing.assert_frame_equal(table, before)


# --- schema skew ---


def test_a_missing_column_is_named_and_what_may_be_meant() -> None:
    report = check(make_table().rename(columns={"distance": "Distance"}))
    assert skews(report) == [("distance", "missing"), ("Distance", "extra")]
    assert str(report.skews[0]) == "`distance`: missing from the table; did you mean `Distance`?"
    assert "distance" not in [drift.then.column for drift in report.drifts]


def test_a_missing_target_is_named() -> None:
    assert skews(check(make_table().drop(columns="late"))) == [("late", "missing")]


def test_an_extra_column_is_named_but_not_one_that_was_there() -> None:
    report = check(make_table(), columns=[*COLUMNS, "tip"])
    assert [str(skew) for skew in report.skews] == ["`tip`: a new column: the table of version 3 had none of that name"]
    assert skews(check(make_table(), columns=COLUMNS)) == []


def test_without_a_reference_no_column_is_extra() -> None:
    assert skews(check(make_table(), columns=[*COLUMNS, "tip"], reference=None)) == []


def test_a_feature_the_problem_no_longer_names_is_named_whatever_its_column_holds() -> None:
    table = make_table().assign(distance=pd.Categorical(["far"] * ROWS))
    report = check(table, features=[name for name in FEATURES if name != "distance"])
    assert [str(skew) for skew in report.skews] == ["`distance`: a feature of version 3, but none of the problem"]
    gone = check(table.drop(columns="distance"), features=[name for name in FEATURES if name != "distance"])
    assert skews(gone) == [("distance", "missing")]


def test_a_feature_the_schema_does_not_know_is_named_once() -> None:
    table = make_table().assign(tip=np.float32(1))
    assert skews(check(table, features=[*FEATURES, "tip"])) == [("tip", "undeclared")]
    assert skews(check(make_table(), features=[*FEATURES])) == []


def test_new_nulls_are_counted_and_the_first_is_shown() -> None:
    report = check(replace(make_table(), "distance", np.nan, [16, 20, 21]))
    assert [str(skew) for skew in report.skews] == [
        "`distance`: missing in 3 of 4,000 rows (0.07%), first in row 17; version 3 has no missing values here"
    ]


@pytest.mark.parametrize("column", ["distance", "carrier", "cargo", "departure"])
def test_nulls_of_every_kind_are_found(column: str) -> None:
    assert skews(check(replace(make_table(), column, None, 5))) == [(column, "new nulls")]


def test_a_nullable_feature_may_be_missing() -> None:
    assert skews(check(replace(make_table(), "rain", np.nan, 5))) == []


def test_a_value_out_of_range_is_shown_with_its_row() -> None:
    report = check(replace(make_table(), "distance", [-1, 6500.5], [8, 2]))
    assert [str(skew) for skew in report.skews] == [
        "`distance`: not between 0 and 5000 miles in 2 of 4,000 rows (0.05%), first in row 3: 6500.5"
    ]


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.floats(width=32, allow_nan=False))
def test_a_value_is_in_range_where_the_service_says_so(value: float) -> None:
    schema, _ = learned()
    rejected = validate_value(schema.features[0], value) is not None
    report = check(replace(make_table(20), "distance", np.float32(value), 4), reference=None)
    assert skews(report) == [("distance", "out of range")] * rejected


@pytest.mark.parametrize("value", [0, 5000])
def test_a_limit_is_in_range(value: float) -> None:
    assert skews(check(replace(make_table(), "distance", np.float32(value), 4))) == []
    beyond = np.nextafter(np.float32(value), np.float32(math.inf if value else -math.inf))
    assert skews(check(replace(make_table(), "distance", beyond, 4))) == [("distance", "out of range")]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("distance", pd.Categorical(["far"]), "a category now, a number in version 3"),
        ("distance", pd.array([True], dtype="boolean"), "a boolean now, a number in version 3"),
        ("cargo", np.array([1], np.float32), "a number now, a boolean in version 3"),
        ("cargo", pd.Categorical([True]), "a category now, a boolean in version 3"),
        ("carrier", np.array([1], np.float32), "a number now, a category in version 3"),
        ("departure", pd.Categorical(["today"]), "a category now, a timestamp in version 3"),
        (
            "departure",
            pd.to_datetime(["2013-07-04T17:30:00Z"]),
            "a timestamp with a UTC offset now, a timestamp in version 3",
        ),
        ("late", np.array([1.5]), "a number now, a label in version 3"),
    ],
)
def test_a_column_of_another_kind_is_named_and_nothing_else_said_of_it(column: str, values: Any, message: str) -> None:
    table = make_table()
    table[column] = pd.Series(values).repeat(ROWS).reset_index(drop=True).where(table.index > 0)
    table[column] = table[column].astype(pd.Series(values).dtype)
    report = check(table)
    assert [str(skew) for skew in report.skews] == [f"`{column}`: {message}"]
    assert column not in [drift.then.column for drift in report.drifts]


def test_what_can_not_be_read_is_shown_once() -> None:
    table = replace(make_table(), "distance", np.nan, [16, 20])
    report = check(table, (ParseFailure("distance", 2, 17, "abc", "a number", of=4_100),))
    assert [str(skew) for skew in report.skews] == [
        "`distance`: can't be read as a number in 2 of 4,100 rows (0.05%), first in row 17: 'abc'"
    ]


def test_a_parse_failure_need_not_say_how_many_rows_there_were() -> None:
    report = check(make_table(), (ParseFailure("rain", 1, 17, "abc", "a number"),))
    assert [str(skew) for skew in report.skews] == [
        "`rain`: can't be read as a number in 1 row, first in row 17: 'abc'"
    ]


def test_a_new_class_is_shown() -> None:
    table = make_table()
    table["late"] = table["late"].cat.add_categories(["maybe"])
    assert skews(check(table)) == []  # a category that no row has
    report = check(replace(table, "late", "maybe", [6, 9]))
    assert [str(skew) for skew in report.skews] == [
        "`late`: none of the classes of version 3 (false, true) in 2 of 4,000 rows (0.05%), first in row 7: 'maybe'"
    ]


@pytest.mark.parametrize("kind", [int, str])
def test_neither_one_nor_the_text_is_the_class_true(kind: type) -> None:
    table = make_table()
    table["late"] = pd.Categorical(table["late"].astype(bool).map(kind).astype(object))
    assert skews(check(table)) == [("late", "new classes")]


def test_a_row_is_counted_in_the_source_not_in_what_is_left_of_it() -> None:
    table = replace(make_table(), "distance", 9999, 40).iloc[30:]
    assert "first in row 41" in str(check(table).skews[0])


def test_every_skew_is_found_at_once() -> None:
    table = replace(make_table(), "distance", [np.nan, 9999], [1, 2]).drop(columns="cargo")
    report = check(replace(table, "departure", pd.NaT, 1), (ParseFailure("rain", 1, 1, "x", "a number"),))
    assert skews(report) == [
        ("rain", "retyped"),
        ("cargo", "missing"),
        ("distance", "new nulls"),
        ("distance", "out of range"),
        ("departure", "new nulls"),
    ]


def test_pandera_switched_off_checks_all_the_same() -> None:
    with config_context(validation_enabled=False, validation_depth="SCHEMA_ONLY"):
        assert skews(check(replace(make_table(), "distance", 9999, 4))) == [("distance", "out of range")]


# --- value skew ---


def with_new_airports(table: pd.DataFrame) -> pd.DataFrame:
    airports = table["airport"].astype(object).where(table.index % 3 > 0, "NEW")
    return table.assign(airport=pd.Categorical(airports))


MOVES: list[tuple[str, Change, str, str]] = [
    ("distance", lambda t: t.assign(distance=t["distance"] + np.float32(300)), "large", ">"),
    ("distance", lambda t: t.assign(distance=t["distance"] + np.float32(90)), "moderate", ">"),
    ("distance", lambda t: t.assign(distance=t["distance"] + np.float32(20)), "stable", ""),
    ("rain", lambda t: t.assign(rain=t["rain"].where(t.index % 3 > 0)), "large", "missing"),
    ("rain", lambda t: t.assign(rain=t["rain"].where(t["rain"] != 0, np.float32(0.01))), "large", "= 0"),
    ("engines", lambda t: t.assign(engines=np.float32(1)), "large", "< 2"),
    ("engines", lambda t: t.assign(engines=np.float32(3)), "large", "= 2"),
    ("carrier", lambda t: t.assign(carrier=t["carrier"].where(t.index % 2 > 0, "DL")), "large", "'DL'"),
    ("airport", with_new_airports, "large", "rare or new values"),
    ("cargo", lambda t: t.assign(cargo=~t["cargo"]), "large", "false"),
    ("departure.day_of_year", lambda t: t[t["departure"].dt.month < 7], "large", ""),
    ("departure.hour", lambda t: t[t["departure"].dt.hour < 12], "large", ""),
    ("departure.weekday", lambda t: t[t["departure"].dt.day_of_week < 5], "large", "S"),
    ("late", lambda t: t.assign(late=pd.Categorical(t.index % 3 > 0)), "large", "'True'"),
    ("late", lambda t: t[t["late"].astype(bool) | (t.index % 10 > 0)], "stable", ""),
]


@pytest.mark.parametrize(("name", "change", "verdict", "mover"), MOVES)
def test_a_move_has_its_verdict_and_leaves_the_others_stable(
    name: str, change: Change, verdict: str, mover: str
) -> None:
    report = check(change(make_table(seed=1)).reset_index(drop=True))
    drift = drift_of(report, name)
    assert drift.verdict == verdict
    assert drift.moves[0].label.startswith(mover)
    assert [other.then.name for other in report.drifted] == [name] * (verdict != "stable")
    assert skews(report) == []  # the values have moved, the schema holds


def test_a_later_year_is_no_drift() -> None:
    table = make_table(seed=1)
    later = table.assign(departure=table["departure"] + pd.Timedelta(days=364))
    report = check(later)
    assert report.drifted == ()
    span = drift_of(report, "departure.hour").now.span
    assert span == (str(later["departure"].min()), str(later["departure"].max()))


@pytest.mark.parametrize(
    ("moment", "labels"),
    [("2013-12-31T23:59", ["23:00", "Tuesday", "December"]), ("2013-01-06T00:00", ["00:00", "Sunday", "January"])],
)
def test_a_moment_is_counted_in_the_bin_of_its_name(moment: str, labels: list[str]) -> None:
    report = check(make_table().assign(departure=pd.Timestamp(moment).as_unit("s")))
    now = [drift.now for drift in report.drifts if drift.then.column == "departure"]
    assert [part.labels[part.counts.index(ROWS)] for part in now] == labels


def test_the_shares_of_missing_and_unseen_values_are_told() -> None:
    table = with_new_airports(make_table(seed=1))
    table["airport"] = table["airport"].where(table.index % 3 != 1)
    drift = drift_of(check(table), "airport")
    assert drift.now.missing == pytest.approx(1 / 3, abs=0.01)
    assert drift.now.unseen == pytest.approx(1 / 3 + drift.then.unseen / 3, abs=0.03)
    assert drift.then.missing < 0.01


def test_the_empty_text_is_a_missing_value_of_a_nullable_category_only() -> None:
    values = make_table()["airport"].astype(object).where(lambda column: column.index > 9)
    for empty in (None, "", "NA"):
        table = make_table().assign(airport=pd.Categorical(values.where(values.notna(), empty)))
        assert drift_of(check(table), "airport").now.counts[-1] == values.isna().sum()
    strict = make_table().assign(carrier=pd.Categorical(["", *make_table()["carrier"].astype(str)[1:]]))
    assert drift_of(check(strict), "carrier").now.counts[-2:] == (1, 0)


def test_a_column_that_is_missing_altogether_is_compared() -> None:
    drift = drift_of(check(make_table().assign(rain=np.float32(np.nan))), "rain")
    assert (drift.verdict, drift.now.missing, drift.now.span) == ("large", 1.0, None)


def test_zoned_moments_are_compared_in_utc() -> None:
    table = make_table().assign(departure=make_table()["departure"].dt.tz_localize("UTC"))
    schema = learn_schema("delay", table, LATE, FEATURES)
    reference = learn_reference(schema, COLUMNS, table)
    told = table.assign(departure=table["departure"].dt.tz_convert("Asia/Tehran"))
    drifts = [
        drift for drift in check(told, schema=schema, reference=reference).drifts if "departure" in drift.then.name
    ]
    assert [drift.psi for drift in drifts] == [0, 0, 0]


@pytest.mark.parametrize("scale", [1, 1e300])
def test_a_numeric_target_is_compared(scale: float) -> None:
    table = make_table().drop(columns="late").assign(price=make_table()["distance"].astype(float) * scale)
    schema = learn_schema("price", table, PRICE, FEATURES)
    reference = learn_reference(schema, [*table], table)
    same = check(table, schema=schema, reference=reference, columns=[*table])
    assert (same.drifted, same.metrics()["target_psi"]) == ((), 0)
    moved = table.assign(price=table["price"] * 2)
    report = check(moved, schema=schema, reference=reference, columns=[*table])
    assert [drift.then.name for drift in report.drifted] == ["price"]
    assert report.metrics() == {
        "skews": 0, "features_drifted": 0, "worst_psi": pytest.approx(0, abs=0.02), "target_psi": report.drifted[0].psi
    }  # fmt: skip
    assert "`price` (the target): PSI" in report.format()


def test_a_few_rows_are_no_drift_unless_they_could_not_be_chance() -> None:
    few = check(make_table(8, seed=5))
    assert any(drift.psi >= 0.25 for drift in few.drifts)
    assert few.drifted == ()
    far = make_table(8, seed=5).assign(distance=np.float32(2500))
    assert [drift.then.name for drift in check(far).drifted] == ["distance"]


@pytest.mark.slow
def test_chance_alone_rarely_is_a_drift() -> None:
    table = make_table()
    samples = [table.sample(rows, replace=True, random_state=seed) for seed in range(8) for rows in (30, 300, 3_000)]
    verdicts = [drift.verdict for sample in samples for drift in check(sample).drifts]
    assert len(verdicts) > 200
    assert sum(verdict != "stable" for verdict in verdicts) <= 0.02 * len(verdicts)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=60))
def test_rows_of_the_reference_have_no_skew(indices: list[int]) -> None:
    report = check(make_table().iloc[indices])
    assert skews(report) == []
    assert all(math.isfinite(drift.psi) and 0 <= drift.p_value <= 1 for drift in report.drifts)


# --- the two measures ---


def test_the_index_is_what_its_formula_says() -> None:
    then, now = np.array([5_000_000, 3_000_000, 2_000_000]), np.array([4_000_000, 4_000_000, 2_000_000])
    expected = (0.4 - 0.5) * math.log(0.4 / 0.5) + (0.4 - 0.3) * math.log(0.4 / 0.3)
    assert population_stability_index(then, now) == pytest.approx(expected, rel=1e-3)


@settings(deadline=None)
@given(*[st.lists(st.integers(0, 10**7), min_size=6, max_size=6).filter(any)] * 2)
def test_the_index_is_finite_symmetric_and_zero_for_no_change(then: list[int], now: list[int]) -> None:
    first, second = np.array(then), np.array(now)
    index = population_stability_index(first, second)
    assert 0 <= index < 100
    assert index == pytest.approx(population_stability_index(second, first))
    assert population_stability_index(first, first) == 0


def test_a_rare_new_value_of_millions_is_no_drift() -> None:
    assert population_stability_index(np.array([5_000_000, 0]), np.array([4_950_000, 50_000])) < 0.1
    assert population_stability_index(np.array([5_000_000, 0]), np.array([4_500_000, 500_000])) > 0.25


def test_the_p_value_is_pearsons_where_rows_are_enough() -> None:
    then, now = np.array([500, 300, 200]), np.array([60, 20, 20])
    assert homogeneity_p_value(then, now) == chi2_contingency([then, now]).pvalue


def test_the_p_value_holds_where_rows_are_few() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.98, 0.01, 0.005, 0.005])  # the chi-square distribution errs here
    drawn = [(random.multinomial(5_000, shares), random.multinomial(20, shares)) for _ in range(200)]
    found = np.array([homogeneity_p_value(then, now) for then, now in drawn])
    assert (found < 0.05).mean() <= 0.08
    assert homogeneity_p_value(drawn[0][0], np.array([17, 0, 0, 3])) < 0.01


def test_one_bin_says_nothing() -> None:
    assert homogeneity_p_value(np.array([10, 0]), np.array([3, 0])) == 1


# --- the reference ---


def test_a_reference_comes_back_from_its_file(tmp_path: Path) -> None:
    _, reference = learned()
    reference.save(tmp_path / "reference.json")
    assert load_reference(tmp_path / "reference.json") == reference


@pytest.mark.parametrize("content", [None, "", "{}", '{"rows": "many"}'])
def test_a_damaged_reference_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidModel, match="not a readable reference"):
        load_reference(path)


def test_a_reference_counts_every_row_once() -> None:
    schema, reference = learned()
    assert (reference.rows, reference.columns) == (ROWS, COLUMNS)
    assert {distribution.column for distribution in reference.distributions} == {*schema.names, "late"}
    for distribution in reference.distributions:
        assert sum(distribution.counts) == ROWS
        assert len(distribution.labels) == len(distribution.counts)


def test_bins_are_few() -> None:
    bins = {distribution.name: len(distribution.counts) for distribution in learned()[1].distributions}
    assert bins["distance"] == 10 + 1
    assert bins["carrier"] == 3 + 2 + 1
    assert bins["airport"] == 0 + 2 + 1  # twenty rows each: which are the most frequent is chance
    many = make_table().assign(airport=pd.Categorical([f"A{index % 60}" for index in range(ROWS)]))
    reference = learn_reference(learn_schema("delay", many, LATE, FEATURES), COLUMNS, many)
    assert {len(d.counts) for d in reference.distributions if d.column == "airport"} == {50 + 2 + 1}


@pytest.mark.parametrize(("rows", "values"), [(500, 200), (4_000, 200), (4_000, 130), (1_000, 1_000), (200, 25)])
def test_rare_values_that_come_and_go_are_no_drift(rows: int, values: int) -> None:
    random = np.random.default_rng(0)
    drawn = [pd.DataFrame({"x": pd.Categorical(random.integers(0, values, rows).astype(str))}) for _ in range(12)]
    tables = [table.assign(late=pd.Categorical(random.random(rows) < 0.5)) for table in drawn]
    schema = learn_schema("rare", tables[0], LATE, {"x": {"kind": "category", "nullable": True}})
    reference = learn_reference(schema, ["x", "late"], tables[0])
    reports = [check(table, schema=schema, reference=reference) for table in tables[1:]]
    assert [report.drifted for report in reports] == [()] * 11


NUMBERS = st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-2, 2).map(float))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.booleans())
def test_any_numbers_are_counted_and_stable(values: list[float], gap: bool) -> None:
    column = np.array([*values, *[np.nan] * gap], np.float32)
    table = pd.DataFrame({"x": column, "price": np.arange(len(column), dtype=float)})
    schema = learn_schema("any", table, PRICE, {"x": {"kind": "number"}})
    reference = Reference.model_validate_json(learn_reference(schema, ["x"], table).model_dump_json())
    drift = drift_of(check(table, schema=schema, reference=reference), "x")
    assert (drift.psi, drift.p_value) == (0, 1)
    assert sum(drift.now.counts) == len(column)
    assert drift.now.counts[-1] == gap
    assert len(drift.then.counts) <= 10 + 1
    assert len(drift.then.labels) == len(drift.then.counts)


def test_the_largest_number_keeps_its_file_readable() -> None:
    table = pd.DataFrame({"x": np.full(5, -FLOAT32_MAX, np.float32), "price": np.full(5, -1.7976931348623157e308)})
    schema = learn_schema("any", table, PRICE, {"x": {"kind": "number", "low": -FLOAT32_MAX}})
    reference = learn_reference(schema, ["x"], table)
    assert Reference.model_validate_json(reference.model_dump_json()) == reference


# --- the report ---

STRANGE = ("سن مشتری", "🚀👩‍🚀 boost", "<script>alert(1)</script>", "long_" * 60, "a`b'c\"d&amp;", "\x1b[31mred\nline")


@cache
def strange_report() -> Report:
    random = np.random.default_rng(0)
    table = pd.DataFrame({name: random.normal(0, 1, 500).astype(np.float32) for name in STRANGE})
    table["<b>"] = pd.Categorical(random.choice(["<i>x</i>", "می‌خواهم", "\x07"], 500))
    table["late"] = pd.Categorical(random.random(500) < 0.5)
    kinds = {name: {"kind": "category" if name == "<b>" else "number"} for name in table if name != "late"}
    schema = learn_schema("strange", table, LATE, kinds)
    reference = learn_reference(schema, [*table], table)
    moved = table.copy()
    for name in STRANGE:
        moved[name] = moved[name] + np.float32(1)
    moved["<b>"] = pd.Categorical(["\x07"] * 500, categories=table["<b>"].cat.categories)
    moved.loc[3, list(STRANGE)] = np.float32(1e6)
    parse_failures = [ParseFailure(name, 2, 5, "<img src=x>", "a number") for name in STRANGE]
    return check_table(schema, reference, [*moved, "<u>new</u>"], moved, parse_failures, against="version <3>")


class Page(HTMLParser):
    """The tags, attributes and strings of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.strings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.strings.append(data.strip())


def test_the_terminal_shows_skews_first_then_drifts_the_worst_first() -> None:
    table = replace(make_table(seed=1), "rain", -5, 7).drop(columns="cargo")
    table["distance"] += np.float32(150)
    table["carrier"] = table["carrier"].where(table.index % 5 > 0, "DL")
    lines = check(table).format().splitlines()
    assert lines[:4] == [
        "checked 4,000 rows against version 3",
        "2 things not as the schema says:",
        "  `cargo`: missing from the table",
        lines[3],
    ]
    assert lines[3].startswith("  `rain`: not between 0 and ")
    assert lines[4] == "2 columns drifted:"
    assert lines[5].startswith("  `distance`: PSI 0.")
    assert "large, p < 0.001; > " in lines[5]
    assert lines[6].startswith("  `carrier`: PSI 0.")
    assert "moderate, p < 0.001; 'DL' 19.6% → " in lines[6]
    assert len(lines) == 7


def test_a_long_list_is_cut_and_its_rest_counted() -> None:
    extra = [f"extra{number}" for number in range(MAX_SHOWN + 5)]
    lines = check(make_table(), columns=[*COLUMNS, *extra]).format().splitlines()
    assert len(lines) == 2 + MAX_SHOWN + 1
    assert lines[-1] == "  … and 5 more"
    lines = check(make_table(), columns=[*COLUMNS, *extra[:MAX_SHOWN]]).format().splitlines()
    assert lines[-1].startswith(f"  `extra{MAX_SHOWN - 1}`")


def test_nothing_in_a_name_or_a_value_commands_the_terminal() -> None:
    text = strange_report().format()
    assert all(line.isprintable() for line in text.replace("\u200d", "").replace("\u200c", "").splitlines())
    assert "`سن مشتری`" in text
    assert "`🚀👩‍🚀 boost`" in text
    assert "`\\x1b[31mred\\nline`" in text
    assert "long_" * 17 not in text


def test_the_page_shows_every_column_and_needs_nothing_else() -> None:
    report = strange_report()
    text = report.to_html()
    page = Page(text)
    assert page.tags.count("svg") == len(report.drifts) == len(STRANGE) + 2
    assert not {"script", "img", "i", "b", "u", "link", "iframe"} & {*page.tags}
    assert not {"src", "href", "onload"} & page.attributes
    assert "url(" not in text
    assert "@import" not in text
    for name in ("سن مشتری", "🚀👩‍🚀 boost", "<script>alert(1)</script>", "long_" * 60, "<u>new</u>"):
        assert name in page.strings
    assert "\x1b" not in text
    assert "\x07" not in text


def test_the_page_has_every_skew_where_the_terminal_has_twenty() -> None:
    extra = [f"extra{number}" for number in range(MAX_SHOWN + 5)]
    page = Page(check(make_table(), columns=[*COLUMNS, *extra]).to_html())
    assert {*extra} <= {*page.strings}


def test_a_page_without_skew_or_drift_says_so() -> None:
    schema, _ = learned()
    page = Page(check_table(schema, None, COLUMNS, make_table(), ()).to_html())
    assert "svg" not in page.tags
    assert "table" not in page.tags
    assert "4,000 rows checked" in page.strings
    assert "table" in Page(check(make_table()).to_html()).tags


def test_metrics_have_names_that_any_feature_leaves_alone() -> None:
    metrics = strange_report().metrics()
    assert metrics.keys() == {"skews", "features_drifted", "worst_psi", "target_psi"}
    assert metrics["features_drifted"] == len(STRANGE) + 1
    assert metrics["skews"] == len(strange_report().skews) == 2 * len(STRANGE) + 1
    assert metrics["worst_psi"] > 0.25
    assert metrics["target_psi"] == 0


def test_a_moment_counts_once_however_many_of_its_cycles_moved() -> None:
    table = make_table(seed=1)
    moment = table["departure"].dt
    report = check(table[(moment.hour < 12) & (moment.month < 7)])
    assert len(report.drifted) == 2
    assert report.metrics()["features_drifted"] == 1
    assert "\n1 column drifted:\n" in report.format()
    assert "1 of 8 columns drifted" in report.to_html()


def test_repeated_rows_are_noted_where_they_are_new() -> None:
    twice = pd.concat([make_table(1_000, seed=1)] * 2, ignore_index=True)
    note = "note: 50.0% of the rows repeat another in every column that is read"
    assert check(twice, reference=None).format().splitlines()[1].startswith(note)
    assert check(twice).format().endswith(f"{note}, 0% before")
    schema, reference = learned()
    used = reference.model_copy(update={"duplicates": 0.48})
    assert "note" not in check(twice, schema=schema, reference=used).format()


def test_a_column_of_one_value_is_noted_the_first_time() -> None:
    assert check(make_table(), reference=None).notes == ("the same in every row: `engines`",)
    assert check(make_table()).notes == ()
