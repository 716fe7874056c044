"""A version takes another's place only where callers of the served one go on being answered."""

from types import SimpleNamespace
from typing import Any

import pytest

from ekiben.contract.feature import Boolean, Feature, Number
from ekiben.contract.schema import Schema, Target
from ekiben.service.servings.reloading import CallersRefused, check_callers

LATE = Target(name="late", classes=(False, True))
DISTANCE, HOLIDAY = Number(name="distance", low=0, high=9), Boolean(name="holiday")


def version(number: str, *features: Feature) -> Any:
    schema = Schema(name="flights", features=features, target=LATE)
    return SimpleNamespace(name="flights", version=number, schema=schema, reference=None)


def test_an_optional_field_more_is_no_difference() -> None:
    optional = HOLIDAY.model_copy(update={"optional": True, "default": False})
    check_callers(version("1", DISTANCE), version("2", DISTANCE, optional), force=False)


def test_a_refusal_says_the_order() -> None:
    with pytest.raises(CallersRefused) as refused:
        check_callers(version("1", DISTANCE), version("2", DISTANCE, HOLIDAY), force=False)
    sentence = str(refused.value)
    assert (
        "`holiday` is required, callers don't send it. clients first: set UNKNOWN_FIELDS=ignore at the old" in sentence
    )


def test_a_field_less_is_none_where_unknown_fields_are_ignored() -> None:
    old, new = version("1", DISTANCE, HOLIDAY), version("2", DISTANCE)
    check_callers(old, new, force=False, ignore=True)
    with pytest.raises(CallersRefused, match="`holiday` is an unknown field"):
        check_callers(old, new, force=False)
    with pytest.raises(CallersRefused, match="`holiday` is required"):
        check_callers(new, version("3", DISTANCE, HOLIDAY), force=False, ignore=True)
