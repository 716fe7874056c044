"""Optional fields that are absent get their default, unknown ones are left out, and what may be misspelt is neither."""

import tracemalloc
from difflib import SequenceMatcher
from functools import partial
from itertools import islice, permutations
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ekiben.contract.columns import Columns
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Category, Number
from ekiben.contract.field_fitting import MAX_NAMED, FieldFitter
from ekiben.contract.misspelling import ALIGNING, MAX_COMPARED, MAX_EFFORT, find_misspelt
from ekiben.contract.openapi_types import row_type
from ekiben.contract.schema import Schema, Target
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.validation import validate_rows
from ekiben.service.unknown_fields import Fields

SCHEMA = Schema(
    name="flights",
    features=(
        Number(name="distance", low=0, high=9),
        Category(name="gate", vocabulary=("", "A1"), nullable=True, optional=True),
        Number(name="load", low=0, high=1, optional=True, default=0.5),
    ),
    target=Target(name="late", classes=(False, True)),
)
FULL = {"distance": 3, "gate": None, "load": 0.5}


def fit(rows: list[Any], ignore: bool = False) -> tuple[Any, tuple[str, ...]]:
    return FieldFitter(SCHEMA).fit(rows, ignore)


def test_what_is_absent_is_its_default() -> None:
    assert fit([{"distance": 3}, FULL, {"load": 0.1, "distance": 1}]) == (
        [FULL, FULL, {"distance": 1, "gate": None, "load": 0.1}],
        (),
    )
    rows = [FULL]
    assert fit(rows)[0] is rows  # who sends all pays for no copy


def test_columns_may_be_absent_too() -> None:
    decoder = TensorDecoder(SCHEMA)
    for _ in range(2):  # the second time from what was remembered
        columns, ignored = FieldFitter(SCHEMA).fit(decoder.to_columns({"distance": [3, 4]}), ignore=False)
        assert isinstance(columns, Columns)
        assert (columns.names, list(columns.values), ignored) == (SCHEMA.names, [[3, 4], [None] * 2, [0.5] * 2], ())
    array = decoder.to_columns({"load": np.full(20, 0.25), "distance": np.arange(20.0) % 9})
    filled, _ = FieldFitter(SCHEMA).fit(array, ignore=False)
    encoded = Encoder(SCHEMA).encode_rows(filled)
    full = [{"distance": index % 9, "gate": None, "load": 0.25} for index in range(20)]
    assert np.array_equal(encoded.numbers, Encoder(SCHEMA).encode_rows(full).numbers)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"gate": "A1"}, "`distance`: missing; it is required"),
        ({"distance": 3, "carrier": "UA"}, "`carrier`: unknown field"),
        ({"distance": 3, "lod": 0.1}, "`lod`: unknown field; did you mean `load`?"),
    ],
)
def test_what_is_wrong_is_named(row: dict[str, Any], sentence: str) -> None:
    rows, ignored = fit([row])
    assert (rows, ignored) == ([row], ())
    with pytest.raises(InvalidInput) as error:
        validate_rows(SCHEMA, rows)
    assert sentence in str(error.value)


def test_unknown_fields_are_left_out_where_that_is_asked() -> None:
    assert fit([{"distance": 3, "carrier": "UA"}], ignore=True) == ([FULL], ("carrier",))
    assert fit([{**FULL, "carrier": "UA"}, FULL], ignore=True) == ([FULL, FULL], ("carrier",))
    lacking = [{"carrier": "UA", "load": 0.5, "gate": None}]
    assert fit(lacking, ignore=True) == (lacking, ())


@pytest.mark.parametrize("name", ["Load", "lo_ad", "LOAD"])
def test_a_misspelt_optional_field_is_an_error_though_unknown_ones_are_ignored(name: str) -> None:
    row = {"distance": 3, name: 0.1}
    rows, _ = fit([row], ignore=True)
    assert rows == [row]
    with pytest.raises(InvalidInput, match=f"`{name}`: unknown field"):
        validate_rows(SCHEMA, rows)
    assert fit([{**FULL, name: 0.1}], ignore=True) == ([FULL], (name,))  # beside the field itself it is another


@pytest.mark.parametrize(
    ("given", "absent", "misspelt"),
    [
        ("presure", "pressure", True), ("depDelay", "dep_delay", True), ("temp_max", "temp_min", False),
        ("lag_1", "lag_2", False), ("wind_speed_10m", "wind_speed_20m", False), ("arr_delay", "dep_delay", False),
    ],
)  # fmt: skip
def test_only_what_is_spelt_nearly_so_is_misspelt(given: str, absent: str, misspelt: bool) -> None:
    assert (find_misspelt([given], [absent]) == given) is misspelt


def test_few_names_are_compared() -> None:
    extra = [f"extra {index}" for index in range(MAX_COMPARED)]
    assert find_misspelt([*extra[1:], "Load"], ["load"]) == "Load"
    assert find_misspelt([*extra, "Load"], ["load"]) is None


def test_other_names_with_every_row_take_no_more_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(SequenceMatcher, "set_seq1", lambda _, name: compared.append(name))
    monkeypatch.setattr(SequenceMatcher, "real_quick_ratio", lambda _: 0.0)
    many = [{"distance": 3, **{f"{row} {index}": 1 for index in range(20)}} for row in range(100)]
    rows, ignored = fit(many, ignore=True)
    assert rows == [FULL] * 100
    assert len(ignored) == MAX_NAMED + 1
    assert len([name for name in compared if name]) == MAX_COMPARED * 2  # with each optional field


def test_names_of_the_same_letters_take_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    aligned = []
    monkeypatch.setattr(SequenceMatcher, "ratio", lambda _: aligned.append(1) or 0.0)
    optional = ["".join(letters) for letters in islice(permutations("pressure"), 300)]
    unknown = ["".join(letters) for letters in islice(permutations("serusrep"), MAX_COMPARED)]
    assert find_misspelt(unknown, optional) is None
    assert 0 < len(aligned) <= MAX_EFFORT / ALIGNING


def test_who_sends_too_many_names_lets_no_misspelt_one_pass_for_others() -> None:
    fitter = FieldFitter(SCHEMA)
    many = [{"distance": 3, f"extra {index}": 1} for index in range(MAX_COMPARED)]
    misspelt = {"distance": 3, "lo_ad": 0.1}
    assert fitter.fit([*many, misspelt], ignore=True)[0][-1] == FULL  # their own affair
    assert fitter.fit([misspelt], ignore=True)[0] == [misspelt]


@pytest.mark.parametrize("reported", [False, True])
def test_no_long_name_is_kept(reported: bool) -> None:
    fit = Fields(SCHEMA, ignore=True).fit if reported else partial(FieldFitter(SCHEMA).fit, ignore=True)
    fit([{**FULL, "x": 1}])
    tracemalloc.start()
    for index in range(20):
        fit([{**FULL, f"{index}{'x' * 100_000}": 1}])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


def test_json_schema_requires_what_is_required() -> None:
    described = row_type(SCHEMA).model_json_schema()
    assert described["required"] == ["distance"]
    assert described["properties"]["load"]["default"] == 0.5
    assert described["properties"]["gate"]["default"] is None


def test_a_schema_without_optional_features_is_written_as_ever() -> None:
    written = Number(name="x", low=0, high=1).model_dump()
    assert {"optional", "default"}.isdisjoint(written)
    assert Schema.model_validate_json(SCHEMA.model_dump_json()) == SCHEMA


@pytest.mark.parametrize("fields", [{"optional": True}, {"default": 0.5}])
def test_what_an_absent_field_means_is_said(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="default"):
        Number(name="x", low=0, high=1, **fields)
