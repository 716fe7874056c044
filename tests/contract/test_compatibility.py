"""A schema may take another's place only if it accepts, and reads as the same, what the other's callers send."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ekiben.contract.compatibility import find_differences, read_spans
from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.reference.bins import BooleanBins, NumberBins
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.timestamps import read_timestamp
from ekiben.contract.validation import validate_rows
from tests.every_kind import LATE, ROW, SCHEMA

FRUIT = Target(name="late", task="multiclass", classes=("apple", "pear", "fig"))
PRICE = Target(name="late", task="regression", unit="EUR")


def change(name: str, **fields: Any) -> Schema:
    """The schema with a feature that was changed."""
    features = [f.model_copy(update=fields) if f.name == name else f for f in SCHEMA.features]
    return SCHEMA.model_copy(update={"features": tuple(features)})


def keep(*features: Feature, target: Target = LATE) -> Schema:
    return Schema(name=SCHEMA.name, features=features, target=target)


def alone(**fields: Any) -> Schema:
    """A schema of one number that a problem file has described."""
    return keep(Number(**{"name": "x", "low": 0, "high": 9, **fields}))


def test_the_same_schema_is_compatible() -> None:
    assert find_differences(SCHEMA, SCHEMA) == []


@pytest.mark.parametrize(
    "wider",
    [
        change("distance", high=6000.0, nullable=True, description="how far", example=7),
        change("carrier", vocabulary=("ZZ",), integers=True),  # of a category not seen before it only warns
        change("departure", cycles=("hour",), format="%Y/%m/%d", log="hash"),
        change("holiday", nullable=True),
        SCHEMA.model_copy(update={"target": LATE.model_copy(update={"description": "another", "scale": 3.0})}),
    ],
)
def test_what_accepts_more_is_compatible(wider: Schema) -> None:
    assert find_differences(SCHEMA, wider) == []


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        (SCHEMA, SCHEMA.model_copy(update={"name": "other"}), "a model of `other`, callers ask for `every_kind`"),
        (SCHEMA, keep(*SCHEMA.features, Boolean(name="new", nullable=True)), "`new` is required, callers don't send"),
        (SCHEMA, keep(*SCHEMA.features[1:]), "`distance` is an unknown field, callers send it"),
        (SCHEMA, keep(*reversed(SCHEMA.features)), "the features are in another order"),
        (SCHEMA, change("temp", nullable=False), "`temp` may not be null, callers may send that"),
        (SCHEMA, change("distance", high=4999.0), "`distance` takes 0 to 4999, callers send 0 to 5000"),
        (SCHEMA, change("distance", low=0.5), "`distance` takes 0.5 to 5000, callers send 0 to 5000"),
        (SCHEMA, change("distance", unit="km"), "`distance` is in km, callers send miles"),
        (SCHEMA, change("temp", null=("-99",)), "`temp` has '-99' for missing, callers mean a value"),
        (change("temp", null=("-99",)), SCHEMA, "`temp` has '-99' as a value, callers mean missing"),
        (SCHEMA, change("temp", decimal=","), "`temp` has the decimal mark , in strings, callers write ."),
        (SCHEMA, change("temp", grouping=" "), "`temp` has ' ' between thousands in strings, callers write any mark"),
        (alone(format="duration"), alone(), "`x` is not read as a duration, callers send one"),
        (change("carrier", integers=True), SCHEMA, "`carrier` takes strings only, callers may send whole numbers"),
        (SCHEMA, change("departure", zoned=True), "`departure` needs a UTC offset, callers send none"),
        (SCHEMA, change("booked", zoned=False), "`booked` takes no UTC offset, callers send one"),
        (SCHEMA, change("departure", format="%Y-%d-%m"), "`departure` is written as %Y-%d-%m, callers write ISO 8601"),
        (SCHEMA, change("departure", format="epoch_s"), "`departure` is written as epoch_s, callers write ISO 8601"),
        (change("departure", format="%d.%m.%Y"), SCHEMA, "`departure` is written as ISO 8601, callers write %d.%m.%Y"),
        (
            change("departure", format="%d.%m.%y"),
            change("departure", format="%d.%m.%y", first_year=1900),
            "`departure` is in another century where its year has two digits",
        ),
        (alone(), keep(Boolean(name="x")), "`x` is a boolean, callers send a number"),
        (SCHEMA, keep(*SCHEMA.features, target=PRICE), "the answers' task is regression, callers read binary"),
        (SCHEMA, keep(*SCHEMA.features, target=PRICE), "the answers' unit is EUR, callers read none"),
        (
            SCHEMA,
            keep(*SCHEMA.features, target=LATE.model_copy(update={"name": "lost"})),
            "name is lost, callers read late",
        ),
        (
            keep(*SCHEMA.features, target=FRUIT),
            keep(*SCHEMA.features, target=FRUIT.model_copy(update={"classes": ("pear", "apple", "fig")})),
            "the classes are 'pear', 'apple', 'fig', callers read 'apple', 'pear', 'fig'",
        ),
        (
            SCHEMA,
            keep(*SCHEMA.features, target=Target(name="late", classes=(0, 1))),
            "the classes are 0, 1, callers read false, true",
        ),
    ],
)
def test_each_difference_is_a_sentence(old: Schema, new: Schema, difference: str) -> None:
    (found,) = [sentence for sentence in map(str, find_differences(old, new)) if difference in sentence]
    assert found.count("\n") == 0


def test_a_range_has_to_hold_what_was_seen_and_not_its_margin() -> None:
    counted = {"counts": (5, 5, 0), "bins": NumberBins(edges=(100.0,))}
    distance = Distribution(column="distance", span=("17", "4983"), **counted)
    holiday = Distribution(column="holiday", bins=BooleanBins(), counts=(5, 5, 0))
    seen = read_spans(Reference(rows=10, columns=(), duplicates=0, distributions=(distance, holiday)))
    assert seen == {"distance": (17.0, 4983.0)}
    assert find_differences(SCHEMA, change("distance", low=10.0, high=4990.0), seen) == []
    assert list(map(str, find_differences(SCHEMA, change("distance", low=10.0, high=4980.0), seen))) == [
        "`distance` takes 10 to 4980, callers send 17 to 4983"
    ]


# What callers may send, in JSON or as a cell; of each kind some, and what lies just inside and outside of its bounds.
VALUES = (
    *(None, True, False, 0, 1, 2, -1, 9, 10, -99, 0.5, 9.000001, 1e30, 10**400, 41459.75, 1372959000),
    *("", "NA", "x", "a", "1", "3.0", "-99", "(5)", "1,5", "1.5", "1 234", "1,234", "1.234", "5 km", "0:00:07", "yes"),
    *("2013-07-04T17:30:00", "2013-07-04T17:30:00+02:00", "20130704", "2013-07-04", "2013-04-07", "04.07.2013"),
    *("04.07.13", "04.07.75", "1372959000", "17:30", "2013/07/04", " 2013-07-04 ", "NaT"),
)
BOOLS = st.booleans()
COLUMN = {"name": st.just("x"), "nullable": BOOLS, "null": st.sampled_from([(), ("-99",), ("x",), ("-99", "x")])}
FORMATS = (
    "",
    "epoch_s",
    "excel",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%Y-%d-%m",
    "%Y%m%d",
    "%Y/%m/%d",
    "%H:%M",
    "%Y-%m-%dT%H:%M:%S%z",
)
KINDS = (
    st.builds(
        Number, **COLUMN, low=st.sampled_from([-99.0, 0.0, 0.5]), high=st.sampled_from([9.0, 9.000001, 2e9, 3e38]),
        decimal=st.sampled_from([".", ","]), grouping=st.sampled_from([None, "", ",", " "]),
        format=st.sampled_from(["", "duration"]), unit=st.sampled_from(["", "km"]),
    ),
    st.builds(Category, **COLUMN, vocabulary=st.sampled_from([("1",), ("1", "2")]), integers=BOOLS),
    st.builds(Boolean, **COLUMN),
    st.builds(
        Timestamp, **COLUMN, zoned=BOOLS, format=st.sampled_from(FORMATS), first_year=st.sampled_from([None, 1950])
    ),
)  # fmt: skip
FEATURES = st.one_of(KINDS)


def readings(feature: Feature, value: Any) -> list[Any]:
    """What a value becomes in each way it may be sent, or None where it is rejected: JSON, a tensor, a cell."""
    schema, read = keep(feature), []
    decoder = TensorDecoder(schema)
    ways = [lambda: {"x": value}, lambda: decoder.read_row({"x": value}, nans=True)]
    if isinstance(value, str):
        ways.append(lambda: {"x": decoder.read_strings("x", [value])[0]})
    for way in ways:
        row = way()
        try:
            validate_rows(schema, [row])
        except InvalidInput:
            read.append(None)
            continue
        if isinstance(feature, Category):  # what its vocabulary makes of it only warns
            read.append("accepted")
        elif isinstance(feature, Timestamp) and row["x"] is not None:
            read.append(("moment", read_timestamp(feature, row["x"])))
        else:
            read.append(("value", row["x"]))
    return read


@settings(max_examples=400, deadline=None)
@given(FEATURES, FEATURES)
def test_what_is_compatible_accepts_and_reads_the_same(old: Feature, new: Feature) -> None:
    check(old, new)


def check(old: Feature, new: Feature) -> None:
    if find_differences(keep(old), keep(new)):
        return
    for value in VALUES:
        for before, now in zip(readings(old, value), readings(new, value), strict=True):
            assert before is None or now == before, (value, before, now)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_a_single_change_is_no_exception(kind: st.SearchStrategy[Feature], data: st.DataObject) -> None:
    old, other = data.draw(kind), data.draw(kind)
    changed = [name for name in type(old).model_fields if getattr(old, name) != getattr(other, name)]
    assume(changed)
    field = data.draw(st.sampled_from(changed))
    check(old, type(old).model_validate(old.model_dump() | {field: getattr(other, field)}))


def test_the_rows_of_one_are_good_for_the_other() -> None:
    wider = change("distance", high=6000.0)
    validate_rows(wider, [ROW])
    assert find_differences(SCHEMA, wider) == []
    narrower = change("distance", high=1000.0)
    with pytest.raises(InvalidInput):
        validate_rows(narrower, [ROW])
    assert find_differences(SCHEMA, narrower) != []
