"""What a caller is told about rows that don't fit."""

import json
import pickle
from typing import Any

import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema
from ekiben.contract.validation import MAX_FIELD_ERRORS, MAX_SHOWN_CHARACTERS, validate_rows
from tests.every_kind import LATE, ROW, SCHEMA

OUT_OF_RANGE = "expected a number from 0 to 5000 miles, got"
NOT_FINITE = "expected a finite number, got"


def reject(*rows: Any, schema: Schema = SCHEMA) -> list[str]:
    """What both ways of rejecting rows say; they must say the same."""
    with pytest.raises(InvalidInput) as caught:
        validate_rows(schema, rows)
    with pytest.raises(InvalidInput) as encoding:
        Encoder(schema).encode_rows(rows)
    assert encoding.value.field_errors == caught.value.field_errors
    assert str(caught.value) == str(caught.value.field_errors[0])
    return [str(problem) for problem in caught.value.field_errors]


def test_good_rows_pass() -> None:
    validate_rows(SCHEMA, [ROW, ROW | {"temp": None, "gate": "A1"}])


def test_a_message_names_the_row_and_the_field() -> None:
    assert reject(ROW, ROW, ROW, ROW | {"distance": "far"}) == ["row 3: `distance`: expected a number, got 'far'"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("distance", "1400", "expected a number, got '1400'"),
        ("distance", "", "expected a number, got ''"),
        ("distance", True, "expected a number, got true"),
        ("distance", False, "expected a number, got false"),
        ("distance", [1400], "expected a number, got a list"),
        ("distance", {"miles": 1400}, "expected a number, got an object"),
        ("distance", None, "null is not allowed; expected a number"),
        ("distance", -0.001, f"{OUT_OF_RANGE} -0.001"),
        ("distance", 5001, f"{OUT_OF_RANGE} 5001"),
        ("distance", 10**400, f"{OUT_OF_RANGE} a huge integer"),
        ("distance", -(10**4000), f"{OUT_OF_RANGE} a huge integer"),
        ("temp", -60.6, "expected a number from -60.5 to 140.25, got -60.6"),
        ("carrier", 7, "expected a string, got 7"),
        ("carrier", True, "expected a string, got true"),
        ("carrier", None, "null is not allowed; expected a string"),
        ("gate", 0.5, "expected a string, got 0.5"),
        ("holiday", 1, "expected true or false, got 1"),
        ("holiday", "true", "expected true or false, got 'true'"),
        ("holiday", None, "null is not allowed; expected true or false"),
        ("departure", 1372959000, "expected an ISO 8601 date and time as a string, got 1372959000"),
        ("departure", None, "null is not allowed; expected an ISO 8601 date and time as a string"),
        ("departure", "", "expected an ISO 8601 date and time such as 2013-07-04T17:30:00, got ''"),
        ("distance", "x" * MAX_SHOWN_CHARACTERS, f"expected a number, got '{'x' * MAX_SHOWN_CHARACTERS}'"),
        ("distance", "x" * 1000, f"expected a number, got '{'x' * MAX_SHOWN_CHARACTERS}…'"),
    ],
)
def test_a_wrong_value_is_said_in_words(field: str, value: Any, message: str) -> None:
    assert reject(ROW | {field: value}) == [f"row 0: `{field}`: {message}"]


@pytest.mark.parametrize("text", ["Infinity", "-Infinity", "1e400", "-1e400"])
def test_an_infinite_number_is_rejected(text: str) -> None:
    value = json.loads(text)
    assert reject(ROW | {"distance": value}) == [f"row 0: `distance`: {NOT_FINITE} {value}"]
    assert reject(ROW | {"temp": value}) == [f"row 0: `temp`: {NOT_FINITE} {value}; send null if it is unknown"]


@pytest.mark.parametrize("field", ["distance", "temp"])
def test_nan_is_rejected(field: str) -> None:
    assert reject(ROW | {field: float("nan")})[0].startswith(f"row 0: `{field}`: {NOT_FINITE} nan")


@pytest.mark.parametrize("value", [1e39, -1e39, 1.7e308, 10**39])
def test_a_number_beyond_float32_is_rejected_without_a_warning(value: float) -> None:
    assert reject(ROW | {"distance": value})[0].startswith(f"row 0: `distance`: {OUT_OF_RANGE}")


@pytest.mark.parametrize(
    ("field", "bound"), [("distance", 0), ("distance", 5000), ("temp", -60.5), ("temp", 140.25), ("distance", 5000.0)]
)
def test_both_bounds_are_accepted(field: str, bound: float) -> None:
    validate_rows(SCHEMA, [ROW | {field: bound}])
    Encoder(SCHEMA).encode_rows([ROW | {field: bound}])


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.3), (-0.3, -0.1), (1e-45, 1e-40), (16777217, 16777219)])
def test_bounds_that_float32_rounds_are_accepted(low: float, high: float) -> None:
    schema = Schema(name="rounded", features=(Number(name="x", low=low, high=high),), target=LATE)
    Encoder(schema).encode_rows([{"x": low}, {"x": high}])


def test_float32s_own_limits_are_accepted() -> None:
    limit = 3.4028234663852886e38
    schema = Schema(name="all", features=(Number(name="x", low=-limit, high=limit),), target=LATE)
    Encoder(schema).encode_rows([{"x": limit}, {"x": -limit}, {"x": 10**38}])


def test_infinity_is_beyond_float32s_own_limits() -> None:
    limit = 3.4028234663852886e38
    schema = Schema(name="all", features=(Number(name="x", low=-limit, high=limit),), target=LATE)
    assert reject({"x": float("inf")}, schema=schema) == [f"row 0: `x`: {NOT_FINITE} inf"]


def test_a_missing_field_says_how_to_mend_it() -> None:
    assert reject({name: value for name, value in ROW.items() if name not in ("temp", "carrier")}) == [
        "row 0: `temp`: missing; send null if it is unknown",
        "row 0: `carrier`: missing; it is required",
    ]


def test_an_unknown_field_is_rejected() -> None:
    assert reject(ROW | {"colour": 1}) == ["row 0: `colour`: unknown field"]


def test_a_misspelt_field_gets_a_suggestion() -> None:
    row = {"distence" if name == "distance" else name: value for name, value in ROW.items()}
    assert reject(row) == [
        "row 0: `distence`: unknown field; did you mean `distance`?",
        "row 0: `distance`: missing; it is required",
    ]


def test_a_long_name_is_shortened() -> None:
    assert reject(ROW | {"x" * 1000: 1}) == [f"row 0: `{'x' * MAX_SHOWN_CHARACTERS}…`: unknown field"]


def test_a_row_of_many_unknown_fields_is_rejected_soon() -> None:
    assert len(reject(ROW | {f"distance{index}": 1 for index in range(200_000)})) == MAX_FIELD_ERRORS


def test_only_a_field_that_is_not_there_is_suggested() -> None:
    assert reject(ROW | {"distence": 1}) == ["row 0: `distence`: unknown field"]


def test_an_empty_list_is_rejected() -> None:
    assert reject() == ["`rows`: expected at least one row, got none"]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        ("row", "'row'"),
        ("exactly8", "'exactly8'"),
        ([], "a list"),
        (list(ROW), "a list"),
    ],
)
def test_a_row_must_be_an_object(row: Any, shown: str) -> None:
    assert reject(ROW, row) == [f"row 1: expected an object with one field per feature, got {shown}"]


def test_an_empty_object_misses_every_field() -> None:
    assert len(reject({})) == len(SCHEMA.features)


def test_every_problem_is_named() -> None:
    bad = ROW | {"distance": "far", "holiday": 2}
    assert reject(bad, ROW, bad) == [
        "row 0: `distance`: expected a number, got 'far'",
        "row 0: `holiday`: expected true or false, got 2",
        "row 2: `distance`: expected a number, got 'far'",
        "row 2: `holiday`: expected true or false, got 2",
    ]


def test_no_more_problems_are_named_than_help() -> None:
    bad = ROW | {"distance": "far", "holiday": 2, "carrier": 3}
    problems = reject(*[bad] * 1000)
    assert len(problems) == MAX_FIELD_ERRORS
    assert problems[-1].startswith("row 6:")


def test_a_problem_far_down_is_found_and_counted_from_the_first_row() -> None:
    assert reject(*[ROW] * 1000, ROW | {"holiday": 2}) == ["row 1000: `holiday`: expected true or false, got 2"]


def test_the_error_carries_its_problems_for_programs() -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_rows(SCHEMA, [ROW | {"distance": "far"}])
    assert caught.value.field_errors == (FieldError(0, "distance", "expected a number, got 'far'"),)


def test_the_error_can_be_sent_to_another_process() -> None:
    error = InvalidInput(FieldError(0, "distance", "wrong"), FieldError(1, None, "wrong too"))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.field_errors) == (str(error), error.field_errors)


@pytest.mark.parametrize("value", [-1e-45, 5000.0004])
def test_a_hair_beyond_a_bound_is_rejected(value: float) -> None:
    assert reject(ROW | {"distance": value})[0].startswith(f"row 0: `distance`: {OUT_OF_RANGE}")
