"""The pydantic row: what the OpenAPI page shows, and what it rejects."""

from typing import Any

import pytest
from pydantic import ValidationError

from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Category, Number
from ekiben.contract.openapi_types import MAX_LISTED_VALUES, describe, predictions_type, row_type
from ekiben.contract.schema import Schema
from ekiben.contract.validation import validate_rows
from tests.every_kind import LATE, ROW, SCHEMA

ODD_NAMES = ["number of seats", "wind.speed", "فاصله", "✈️", "class", "model_config", "a/b", '"', "__proto__"]

Row = row_type(SCHEMA)
fields: dict[str, Any] = Row.model_json_schema()["properties"]


def test_every_feature_is_a_required_field() -> None:
    assert tuple(fields) == SCHEMA.names
    assert Row.model_json_schema()["required"] == list(SCHEMA.names)


def test_every_field_is_described_and_has_an_example() -> None:
    for feature in SCHEMA.features:
        assert fields[feature.name]["title"] == feature.name
        assert fields[feature.name]["description"] == describe(feature)
        assert fields[feature.name]["examples"] == [feature.example]


def test_the_whole_row_has_an_example_that_is_accepted() -> None:
    example = Row.model_json_schema()["example"]
    assert example == ROW
    validate_rows(SCHEMA, [example])
    Row.model_validate(example)


def test_no_other_field_is_allowed() -> None:
    assert Row.model_json_schema()["additionalProperties"] is False


def test_the_range_is_in_the_json_schema() -> None:
    assert (fields["distance"]["minimum"], fields["distance"]["maximum"]) == (0, 5000)


def test_a_nullable_field_may_be_null_in_the_json_schema() -> None:
    assert {"type": "null"} in fields["temp"]["anyOf"]
    assert "anyOf" not in fields["distance"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("distance", "distance [miles]."),
        ("carrier", "Seen in training: AA, UA."),
        ("gate", "Seen in training: A1, ب۲. null if unknown."),
        ("departure", "local time, no UTC offset."),
        ("booked", "with a UTC offset"),
    ],
)
def test_a_description_says_what_the_field_may_hold(name: str, part: str) -> None:
    assert part in fields[name]["description"]


def test_a_long_vocabulary_is_cut() -> None:
    vocabulary = tuple(f"v{index:02}" for index in range(MAX_LISTED_VALUES + 1))
    assert describe(Category(name="x", vocabulary=vocabulary)).endswith("v18, v19, ….")
    assert describe(Category(name="x", vocabulary=vocabulary[:-1])).endswith("v18, v19.")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_need_not_be_a_python_identifier(name: str) -> None:
    schema = Schema(name="odd", features=(Number(name=name, low=0, high=9, example=7),), target=LATE)
    row = row_type(schema)
    assert list(row.model_json_schema()["properties"]) == [name]
    assert row.model_validate({name: 7}).model_dump(by_alias=True) == {name: 7}


@pytest.mark.parametrize(
    "change",
    [
        {"distance": 0},
        {"distance": 5000.0},
        {"temp": None},
        {"carrier": "never seen"},
        {"gate": None},
        {"holiday": False},
        {"strike": None},
    ],
)
def test_what_the_check_accepts_the_row_accepts(change: dict[str, Any]) -> None:
    validate_rows(SCHEMA, [ROW | change])
    Row.model_validate(ROW | change)


@pytest.mark.parametrize(
    "change",
    [
        {"distance": "1400"},
        {"distance": True},
        {"distance": None},
        {"distance": -1},
        {"distance": 5001},
        {"distance": float("nan")},
        {"distance": float("inf")},
        {"temp": "warm"},
        {"carrier": 7},
        {"carrier": None},
        {"holiday": 1},
        {"holiday": "true"},
        {"departure": None},
        {"departure": 1372959000},
        {"colour": "red"},
    ],
)
def test_what_the_check_rejects_the_row_rejects(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        validate_rows(SCHEMA, [ROW | change])
    with pytest.raises(ValidationError):
        Row.model_validate(ROW | change)


@pytest.mark.parametrize("name", SCHEMA.names)
def test_a_missing_field_is_rejected(name: str) -> None:
    with pytest.raises(ValidationError):
        Row.model_validate({other: value for other, value in ROW.items() if other != name})


def answer(**change: Any) -> dict[str, Any]:
    one = {"probability": 0.25, "label": False} | change
    return {"predictions": [one], "model": "every_kind", "version": "1", "warnings": []}


def test_an_answer_fits_its_type() -> None:
    predictions_type(SCHEMA).model_validate(answer())


@pytest.mark.parametrize("change", [{"probability": 1.5}, {"probability": None}, {"label": "late"}])
def test_another_answer_does_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        predictions_type(SCHEMA).model_validate(answer(**change))


def test_the_answer_says_what_the_probability_is_of() -> None:
    prediction = predictions_type(SCHEMA).model_json_schema()["$defs"]["Prediction"]["properties"]
    assert prediction["probability"]["description"] == "probability that late is True: arrives late"
