"""Who changes first, the service or its callers, so that at every moment all are answered."""

from typing import Any

import pytest

from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Boolean, Category, Feature, Number
from ekiben.contract.field_fitting import FieldFitter
from ekiben.contract.schema import Schema, Target
from ekiben.contract.schema_change import IGNORE, SchemaChange, compare_schemas
from ekiben.contract.validation import validate_rows

TARGET = Target(name="late", classes=(False, True))
DISTANCE = Number(name="distance", low=0, high=9)
REQUIRED = Boolean(name="holiday")
OPTIONAL = Boolean(name="holiday", optional=True, default=False)
NULLABLE = Boolean(name="holiday", nullable=True)


def make(*features: Feature, target: Target = TARGET) -> Schema:
    return Schema(name="flights", features=(DISTANCE, *features), target=target)


CASES = [
    (make(REQUIRED), make(REQUIRED), "safe"),
    (make(), make(OPTIONAL), "service first"),
    (make(), make(REQUIRED), "clients first"),
    (make(REQUIRED), make(), "service first"),
    (make(OPTIONAL), make(), "clients first"),
    (make(REQUIRED), make(OPTIONAL), "service first"),
    (make(OPTIONAL), make(REQUIRED), "clients first"),
    (make(REQUIRED), make(NULLABLE), "service first"),
    (make(NULLABLE), make(REQUIRED), "clients first"),
    (make(REQUIRED), make(Boolean(name="weekend")), "breaking"),
    (make(OPTIONAL), make(Boolean(name="weekend", optional=True, default=False)), "service first"),
    (make(OPTIONAL), make(Boolean(name="Holi-day", optional=True, default=False)), "breaking"),
    (make(OPTIONAL, Boolean(name="Holi-day")), make(OPTIONAL), "breaking"),  # which then is holiday, misspelt
    (make(OPTIONAL), make(Boolean(name="holiday", optional=True, default=True)), "breaking"),
    (make(REQUIRED), make(Category(name="holiday", vocabulary=("a",))), "breaking"),
    (make(REQUIRED), make(REQUIRED, target=Target(name="lost", classes=(False, True))), "breaking"),
]


@pytest.mark.parametrize(("old", "new", "verdict"), CASES)
def test_each_change_has_a_verdict(old: Schema, new: Schema, verdict: str) -> None:
    assert compare_schemas(old, new).verdict == verdict


def list_bodies(schema: Schema) -> list[dict[str, Any]]:
    """Return a row in every form in which the schema's callers may send it."""
    full = {"distance": 3, "holiday": True, "weekend": True, "Holi-day": True}
    rows = [{name: full[name] for name in schema.names}]
    for feature in schema.features:
        if feature.optional:
            rows += [{name: value for name, value in row.items() if name != feature.name} for row in rows]
        if feature.nullable:
            rows += [row | {feature.name: None} for row in rows if feature.name in row]
    return rows


def takes(schema: Schema, caller: Schema, ignore: bool) -> bool:
    """Whether a service takes all that a schema's callers may send."""
    for row in list_bodies(caller):
        rows, _ = FieldFitter(schema).fit([row], ignore)
        try:
            validate_rows(schema, rows if isinstance(rows, list) else [])
        except InvalidInput:
            return False
    return True


@pytest.mark.parametrize(("old", "new", "verdict"), CASES[:13])
def test_at_every_moment_of_the_order_all_are_answered(old: Schema, new: Schema, verdict: str) -> None:
    found = compare_schemas(old, new)
    ignore = any(IGNORE in step for step in found.steps)
    forward, backward = takes(new, old, ignore), takes(old, new, ignore)
    assert {"safe": forward and backward, "service first": forward, "clients first": backward}.get(verdict, True)
    assert verdict != "breaking" or not (takes(new, old, ignore=True) or takes(old, new, ignore=True))
    assert verdict == "safe" or not (takes(old, new, ignore=False) and takes(new, old, ignore=False))


def describe(found: SchemaChange) -> list[str]:
    return [*found.steps, found.way_back]


def test_the_steps_say_what_to_set() -> None:
    assert describe(compare_schemas(make(), make(REQUIRED))) == [
        "set UNKNOWN_FIELDS=ignore at the old service",
        "let all callers change",
        "then roll out the new service",
        "the service first with UNKNOWN_FIELDS=ignore, then callers",
    ]
    assert describe(compare_schemas(make(), make(OPTIONAL))) == [
        "roll out the new service",
        "once no old one answers, let callers change",
        "callers first, then the service, or the service at once with UNKNOWN_FIELDS=ignore",
    ]
    assert not any(IGNORE in step for step in compare_schemas(make(OPTIONAL), make()).steps)


def test_another_threshold_is_safe_and_said() -> None:
    decided = TARGET.model_copy(update={"threshold": 0.25, "costs": (1.0, 5.0)})
    found = compare_schemas(make(), make(target=decided))
    assert found.verdict == "safe"
    assert found.describe()["notes"] == [
        "labels change: `late` is true from a probability of 0.25 on, before from 0.5; "
        "whoever reads probabilities notices nothing",
        "the metric `cost` changes: a false alarm costs 1 and a miss 5, before none is declared",
    ]
    assert not compare_schemas(make(target=decided), make(target=decided)).notes
    swapped = Target(name="late", classes=("no", "yes"), threshold=0.25)
    assert not compare_schemas(make(), make(target=swapped)).notes  # which is breaking anyway


def test_json_has_a_sentence_for_each_difference() -> None:
    described = compare_schemas(make(), make(REQUIRED)).describe()
    assert described["old_callers_new_service"] == [
        {"sentence": "`holiday` is required, callers don't send it", "setting": None}
    ]
    assert described["new_callers_old_service"] == [
        {"sentence": "`holiday` is an unknown field, callers send it", "setting": IGNORE}
    ]
    assert "rows without names" in described["notes"][0]
