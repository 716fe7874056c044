"""What is learned of a table's columns, and which tables are rejected."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema
from ekiben.contract.validation import validate_rows
from ekiben.training.dataset.schema_learning import MIN_CATEGORY_ROWS, choose_min_rows, learn_schema
from tests.every_kind import LATE

NUMBER = {"kind": "number"}
CATEGORY = {"kind": "category"}


def learn(values: Any, **known: Any) -> Any:
    """The one feature of a table with one column, `x`."""
    return learn_table(pd.DataFrame({"x": values}), x=known).features[0]


def learn_table(table: pd.DataFrame, **features: Any) -> Schema:
    return learn_schema("learned", table, LATE, features)


def reject(values: Any, **known: Any) -> str:
    with pytest.raises(InvalidTable) as caught:
        learn(values, **known)
    return str(caught.value)


def test_a_range_has_a_margin_of_the_seen_span() -> None:
    feature = learn([-10.0, 30.0], **NUMBER)
    assert (feature.low, feature.high) == (-50.0, 70.0)


def test_what_was_never_negative_stays_so() -> None:
    feature = learn([10, 30], **NUMBER)
    assert (feature.low, feature.high) == (0.0, 50.0)


def test_a_margin_need_not_reach_zero() -> None:
    feature = learn([100, 110], **NUMBER)
    assert (feature.low, feature.high) == (90.0, 120.0)


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int8", "Int64"])
def test_a_range_is_learned_from_every_type_of_number(kind: str) -> None:
    feature = learn(pd.Series([1, 2], dtype=kind), **NUMBER)
    assert feature == Number(name="x", low=0, high=3, example=feature.example)


@pytest.mark.parametrize(
    ("values", "known", "expected"),
    [
        ([1.0, 2.0], NUMBER, Number(name="x", low=0, high=3, example=1.0)),
        ([True, False], {"kind": "boolean"}, Boolean(name="x", example=True)),
        (["a"] * 20, CATEGORY, Category(name="x", vocabulary=("a",), min_rows=2, example="a")),
        (
            [datetime(2013, 7, 4, 17, 30)],
            {"kind": "timestamp"},
            Timestamp(name="x", zoned=False, example="2013-07-04T17:30:00"),
        ),
        (
            pd.to_datetime(["2013-07-04T17:30:00Z"]),
            {"kind": "timestamp"},
            Timestamp(name="x", zoned=True, example="2013-07-04T17:30:00+00:00"),
        ),
    ],
)
def test_every_kind_is_learned(values: Any, known: dict[str, Any], expected: Feature) -> None:
    assert learn(values, **known) == expected


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ([1.0, None], NUMBER),
        (["a", None], CATEGORY),
        ([True, None], {"kind": "boolean"}),
        ([datetime(2013, 7, 4), None], {"kind": "timestamp"}),
    ],
)
def test_a_column_with_missing_values_is_nullable(values: list[Any], known: dict[str, Any]) -> None:
    assert learn(values, **known).nullable
    assert not learn(values[:1] * 20, **known).nullable


def test_what_is_declared_wins() -> None:
    feature = learn([1, 2], kind="number", low=-7, nullable=True, unit="miles", description="way", example=9)
    assert feature == Number(name="x", nullable=True, low=-7, high=3, unit="miles", description="way", example=9)


def test_a_declared_vocabulary_wins() -> None:
    assert learn(["a"] * 50, kind="category", vocabulary=("b", "a")).vocabulary == ("b", "a")


def test_declared_cycles_win() -> None:
    assert learn([datetime(2013, 7, 4)], kind="timestamp", cycles=("hour",)).cycles == ("hour",)


def test_a_vocabulary_is_sorted_and_does_not_depend_on_the_rows_order() -> None:
    values = ["b"] * 30 + ["a"] * 20 + ["ج"] * 25
    assert learn(values, **CATEGORY).vocabulary == learn(values[::-1], **CATEGORY).vocabulary == ("a", "b", "ج")


@pytest.mark.parametrize("rows", [30, 1_000, 6_000, 100_000])
def test_rare_values_are_pooled_by_a_rule_that_is_recorded(rows: int) -> None:
    least = choose_min_rows(rows)
    values = ["enough"] * least + ["rare"] * (least - 1)
    feature = learn(values + ["often"] * (rows - len(values)), **CATEGORY)
    assert feature.vocabulary == ("enough", "often")
    assert feature.min_rows == least


def test_a_small_table_pools_less() -> None:
    assert [choose_min_rows(rows) for rows in (30, 1_000, 5_000, 10**6)] == [2, 4, 20, MIN_CATEGORY_ROWS]


def test_of_too_many_values_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.training.dataset.schema_learning.MAX_VOCABULARY", 2)
    assert learn(["c"] * 9 + ["a"] * 5 + ["b"] * 7, **CATEGORY).vocabulary == ("b", "c")


def test_values_that_are_whole_numbers_are_known_as_such() -> None:
    feature = learn(["1", "2", "-3"] * 9, **CATEGORY)
    assert feature.integers
    assert feature.example == 1
    assert not learn(["1", "2", "03"] * 9, **CATEGORY).integers


def test_ranges_and_nulls_are_those_of_all_rows_but_vocabularies_only_of_those_to_train_on() -> None:
    table = pd.DataFrame({"n": [1.0, 1.0, 1.0, 5.0, None], "c": ["a", "a", "a", "b", "b"]})
    schema = learn_schema("learned", table, LATE, {"n": NUMBER, "c": CATEGORY}, table.head(3))
    number, category = schema.features
    assert (number.high, number.nullable, category.vocabulary) == (9.0, True, ("a",))


def test_the_empty_text_leads_the_vocabulary_of_a_nullable_category() -> None:
    assert learn(["a"] * 20 + [None], **CATEGORY).vocabulary == ("", "a")
    assert learn(["a"] * 20, kind="category", nullable=True).vocabulary == ("", "a")


def test_the_empty_text_and_null_are_one_value() -> None:
    assert learn([*["a"] * 20, *[""] * 20, None], **CATEGORY).vocabulary == ("", "a")


def test_features_keep_the_order_they_are_declared_in() -> None:
    table = pd.DataFrame({"a": [1], "b": [2], "unused": [3]})
    assert learn_table(table, b=NUMBER, a=NUMBER).names == ("b", "a")


def test_the_example_is_a_real_row_with_the_fewest_nulls() -> None:
    table = pd.DataFrame({"a": [None, 1.5, 2.5], "b": ["x", None, "y"]})
    assert learn_table(table, a=NUMBER, b=CATEGORY).example == {"a": 2.5, "b": "y"}


def test_columns_that_are_no_features_do_not_choose_the_example() -> None:
    table = pd.DataFrame({"a": [1.5, 2.5], "unused": [None, 1]})
    assert learn_table(table, a=NUMBER).example == {"a": 1.5}


def test_an_example_is_what_json_can_hold() -> None:
    moments = pd.to_datetime(["2013-07-04T17:30:00"])
    table = pd.DataFrame({"i": [1, 1], "f": [0.5, 0.5], "b": [True, True], "t": moments.repeat(2), "n": [None, 2.0]})
    table = table.iloc[[0] * 30 + [1]].assign(t=moments[0], s=["x"] * 31).sort_values("n")
    kinds = {"i": NUMBER, "f": NUMBER, "b": {"kind": "boolean"}, "t": {"kind": "timestamp"}, "s": CATEGORY, "n": NUMBER}
    example = learn_table(table, **kinds).example
    assert example == {"i": 1, "f": 0.5, "b": True, "t": "2013-07-04T17:30:00", "s": "x", "n": 2}
    assert [type(value) for value in example.values()] == [int, float, bool, str, str, int]


def test_an_example_is_in_its_own_range() -> None:
    schema = learn_table(pd.DataFrame({"x": [1 / 3, 1 / 3]}), x=NUMBER)
    validate_rows(schema, [schema.example])


def test_an_example_is_in_the_range_that_is_declared() -> None:
    schema = learn_table(pd.DataFrame({"x": [1.0, 5.0]}), x={"kind": "number", "low": 3})
    validate_rows(schema, [schema.example])


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(InvalidTable) as caught:
        learn_table(pd.DataFrame({"a": [1], "b": [2]}), a=NUMBER, c=NUMBER)
    assert str(caught.value) == "the table has no column `c`; it has: a, b"


@pytest.mark.parametrize("kind", ["number", "category", "boolean", "timestamp"])
def test_an_empty_column_is_named(kind: str) -> None:
    assert reject([np.nan, None], kind=kind) == "`x` has no value in any training row: leave it out of the features"


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    assert reject([1], kind="colour") == (
        "`x`: no kind is called 'colour'; choose number, category, boolean or timestamp"
    )


def test_text_is_no_number() -> None:
    assert reject(["1", "2"], **NUMBER).startswith("`x` is declared a number but holds ")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2013-07-04", "2013-07-05"], "timestamp"),  # AttributeError
        ([1, 2], "timestamp"),  # AttributeError
        (["yes", "no"], "boolean"),  # accepted, fails in encode
        ([0.5, 2.0], "boolean"),  # accepted
        ([True, False], "number"),  # accepted, and its example is then rejected
        ([1, 2] * 20, "category"),  # accepted; every value is code 0 in training
        ([1.0, np.inf], "number"),  # pydantic's ValidationError
    ],
)
def test_a_column_of_another_kind_is_named(values: list[Any], kind: str) -> None:
    assert "`x`" in reject(values, kind=kind)


@pytest.mark.parametrize(
    "known",
    [
        {},  # KeyError: 'kind'
        {"kind": "number", "descriptoin": "way"},  # pydantic's ValidationError, four lines
        {"kind": "number", "low": "zero"},
        {"kind": "timestamp", "cycles": ["minute"]},
    ],
)
def test_a_wrong_declaration_is_named(known: dict[str, Any]) -> None:
    values = [datetime(2013, 7, 4)] if known.get("kind") == "timestamp" else [1, 2]
    assert "`x`" in reject(values, **known)


def test_a_table_without_rows_is_rejected() -> None:
    with pytest.raises(InvalidTable):
        learn(pd.Series([], dtype="float64"), **NUMBER)


def test_a_rare_word_among_whole_numbers_is_no_number_in_the_example() -> None:
    values = ["A 12", *["101", "102"] * 30]
    table = pd.DataFrame({"code": pd.Categorical(values), "x": [0.5, *[None] * 60]})
    known = {"code": {"kind": "category"}, "x": {"kind": "number"}}
    schema = learn_schema("t", table, LATE, known)
    assert schema.features[0].vocabulary == ("101", "102")  # type: ignore[union-attr]
    assert schema.example == {"code": "A 12", "x": 0.5}


@pytest.mark.parametrize(
    ("values", "known", "default"),
    [
        ([1.0, 2.0, 3.0], {"kind": "number", "default": 2}, 2),
        ([1.0, None, 3.0], {"kind": "number", "optional": True}, None),
        (["a", "b"] * 9, {"kind": "category", "default": "b"}, "b"),
    ],
)
def test_a_feature_may_be_optional(values: list[Any], known: dict[str, Any], default: Any) -> None:
    learned = learn(values, **known)
    assert (learned.optional, learned.default) == (True, default)


@pytest.mark.parametrize(
    ("values", "known", "sentence"),
    [
        ([1.0, 2.0], {"kind": "number", "optional": True}, "`x` is optional, but no training row lacks it"),
        ([1.0, 2.0], {"kind": "number", "default": "two"}, "`x`: its `default`: expected a number, got 'two'"),
        ([1.0, 2.0], {"kind": "number", "default": 1e6}, "`x`: its `default`: expected a number from 0 to 3"),
        (["a", "b"] * 9, {"kind": "category", "default": "c"}, "`x`: its `default`: 'c' was seen in too few"),
        ([1.0, 2.0], {"kind": "number", "optional": False, "default": 1.0}, "only an optional feature has a default"),
    ],
)
def test_what_absence_means_must_be_learned(values: list[Any], known: dict[str, Any], sentence: str) -> None:
    assert sentence in reject(values, **known)
