"""The schema as a file: what is read is what was written, and a damaged one is rejected."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ekiben.contract.errors import InvalidModel
from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target, load_schema
from tests.every_kind import LATE, ROW, SCHEMA

values = st.none() | st.booleans() | st.text(max_size=5) | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
common = {"name": st.text(min_size=1), "nullable": st.booleans(), "unit": st.text(), "example": values}
limits = st.floats(width=32, allow_nan=False, allow_infinity=False)
features = st.one_of(
    st.builds(Number, **common, low=limits, high=limits),
    st.builds(Category, **common, vocabulary=st.lists(st.text(), max_size=4).map(tuple)),
    st.builds(Boolean, **common),
    st.builds(Timestamp, **common, zoned=st.booleans()),
)


def change(**changes: Any) -> Schema:
    """The sample schema with other values for some of the first feature's fields."""
    first, *rest = SCHEMA.features
    return Schema(name=SCHEMA.name, features=(first.model_copy(update=changes), *rest), target=LATE)


def test_the_example_is_one_row() -> None:
    assert SCHEMA.example == ROW


def test_every_column_of_numbers_has_a_name() -> None:
    assert SCHEMA.number_names == (
        "distance",
        "temp",
        "holiday",
        "strike",
        *(f"departure.{cycle}.{axis}" for cycle in ("hour", "weekday", "day_of_year") for axis in ("sin", "cos")),
        *(f"booked.{cycle}.{axis}" for cycle in ("day_of_year", "hour") for axis in ("sin", "cos")),
    )


def test_every_column_of_codes_has_a_feature() -> None:
    assert [feature.name for feature in SCHEMA.categories] == ["carrier", "gate"]


def test_a_saved_schema_is_read_back_equal(tmp_path: Path) -> None:
    SCHEMA.save(tmp_path / "schema.json")
    loaded = load_schema(tmp_path / "schema.json")
    assert loaded == SCHEMA
    assert loaded.digest == SCHEMA.digest


@given(st.lists(features, min_size=1, max_size=4, unique_by=lambda feature: feature.name).map(tuple))
def test_json_keeps_every_schema(some: tuple[Any, ...]) -> None:
    schema = Schema(name="any", features=some, target=LATE)
    loaded = Schema.model_validate_json(schema.model_dump_json())
    assert loaded.digest == schema.digest
    assert [(type(f.example), f) for f in loaded.features] == [(type(f.example), f) for f in schema.features]


@pytest.mark.parametrize("classes", [(False, True), (0, 1), ("on time", "late")])
def test_json_keeps_the_type_of_a_class(classes: tuple[Any, ...]) -> None:
    target = Target.model_validate_json(Target(name="y", classes=classes).model_dump_json())
    assert [*map(repr, target.classes)] == [*map(repr, classes)]


def test_the_saved_schema_can_be_read_by_a_person(tmp_path: Path) -> None:
    SCHEMA.save(tmp_path / "schema.json")
    text = (tmp_path / "schema.json").read_text(encoding="utf-8")
    assert "ب۲" in text
    assert text.count("\n") > len(SCHEMA.features)


def test_the_digest_is_the_same_everywhere() -> None:
    # A literal: one that changes makes every stored model's digest another one.
    schema = Schema(name="s", features=(Number(name="x", low=0, high=1),), target=Target(name="y", classes=(0, 1)))
    assert schema.digest == "c6cd116dff30d400aab5d8b2bdda4b0fbe628dc68fd14ce5801e7aab55982622"


def test_an_order_and_a_direction_are_kept_and_told_only_where_they_are() -> None:
    number = Number(name="x", low=0, high=1)
    target = Target(name="y", task="multiclass", classes=("a", "b", "c"))
    plain = Schema(name="s", features=(number,), target=target)
    assert not {"ordered", "monotone"} & {*plain.model_dump()["target"], *plain.model_dump()["features"][0]}
    monotone = number.model_copy(update={"monotone": "down"})
    shaped = Schema(name="s", features=(monotone,), target=target.model_copy(update={"ordered": True}))
    assert Schema.model_validate_json(shaped.model_dump_json()) == shaped
    assert shaped.digest != plain.digest


@pytest.mark.parametrize(
    "changes", [{"name": "Distance"}, {"low": -1.0}, {"nullable": True}, {"unit": "km"}, {"example": 1401}]
)
def test_any_change_is_another_digest(changes: dict[str, Any]) -> None:
    assert change(**changes).digest != SCHEMA.digest


def test_another_order_is_another_digest() -> None:
    turned = Schema(name=SCHEMA.name, features=SCHEMA.features[::-1], target=LATE)
    assert turned.digest != SCHEMA.digest


def test_a_schema_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SCHEMA.name = "other"


def damage(**changes: Any) -> bytes:
    return json.dumps(SCHEMA.model_dump(mode="json") | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        damage(features="none"),
        damage(features=[{"kind": "number", "name": "x", "low": 0}]),
        damage(features=[{"kind": "number", "name": "x", "low": 0, "high": 1e39}]),
        damage(features=[{"kind": "colour", "name": "x"}]),
        damage(features=[{"kind": "boolean", "name": ""}]),
        damage(features=[{"kind": "timestamp", "name": "x", "cycles": ["minute"]}]),
        damage(target={"name": "y", "classes": [0, 1], "task": "ranking"}),
        damage(target={"name": "y", "classes": [0, 1], "ordered": True}),
        damage(colour="red"),
    ],
)
def test_a_damaged_schema_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content)
    with pytest.raises(InvalidModel) as caught:
        load_schema(path)
    assert str(caught.value) == f"{path} is not a readable schema: train the model again with `ekiben train`"


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_a_schema_that_is_no_file_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="is not a readable schema"):
        load_schema(tmp_path / name)
