"""Columns are encoded as their rows would be, whether Python or NumPy holds them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.columns import Columns, merge
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema
from tests.encoded_rows import encoder, one_feature, rows, same
from tests.every_kind import LATE, ROW, SCHEMA

ANY = Number(name="x", nullable=True, low=-1e38, high=1e38)
NEVER_NULL = Number(name="x", low=0, high=9)


def column(feature: Number | Category, values: object, dtype: str) -> tuple[Encoder, Columns]:
    array = np.array(values, dtype)
    return Encoder(Schema(name="one", features=(feature,), target=LATE)), Columns(("x",), [array], len(array))


@given(st.lists(rows, min_size=1, max_size=8))
def test_columns_and_their_rows_are_the_same_bit_for_bit(given_rows: list[dict[str, object]]) -> None:
    columns = Columns(SCHEMA.names, [[row[name] for row in given_rows] for name in SCHEMA.names], len(given_rows))
    assert same(encoder.encode_rows(columns), encoder.encode_rows(given_rows))
    assert columns.to_rows() == given_rows


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("<f4", [1.5, -0.0, 1e-40]),
        ("<f8", [0.1, 1e30]),
        ("<i8", [2**53 + 1, 9007199791611905]),  # rounded to a double first, as a number of JSON is
        ("<u8", [2**64 - 1]),
        ("<f2", [0.1, 3]),
    ],
)
def test_an_array_is_encoded_as_its_values(dtype: str, values: list[float]) -> None:
    one, columns = column(ANY, values, dtype)
    assert same(one.encode_rows(columns), one_feature(ANY, *np.array(values, dtype).tolist()))


def test_nan_in_an_array_is_null_where_that_is_allowed() -> None:
    one, columns = column(ANY, [1, math.nan], "f4")
    assert same(one.encode_rows(columns), one_feature(ANY, 1, None))
    one, columns = column(NEVER_NULL, [1, math.nan], "f4")
    with pytest.raises(InvalidInput, match=r"^row 1: `x`: null is not allowed; expected a number$"):
        one.encode_rows(columns)


@pytest.mark.parametrize(
    ("feature", "value", "dtype", "sentence"),
    [
        (NEVER_NULL, 10, "i8", "expected a number from 0 to 9, got 10"),
        (NEVER_NULL, math.inf, "f4", "expected a finite number, got inf"),
        (NEVER_NULL, 1e300, "f8", "expected a number from 0 to 9, got 1e+300"),
        (NEVER_NULL, True, "?", "expected a number, got true"),
        (Category(name="x", vocabulary=("a",)), 1, "i4", "expected a string, got 1"),
    ],
)
def test_what_is_wrong_in_an_array_is_named(feature: Number, value: float, dtype: str, sentence: str) -> None:
    one, columns = column(feature, [value], dtype)
    with pytest.raises(InvalidInput) as rejected:
        one.encode_rows(columns)
    assert str(rejected.value) == f"row 0: `x`: {sentence}"


def test_lists_and_arrays_are_merged_in_their_order() -> None:
    parts = [Columns(("x",), [values], 2) for values in ([1, None], np.array([3, math.nan], "f4"), (5, 6))]
    assert merge(parts).to_rows() == [{"x": value} for value in (1, None, 3, None, 5, 6)]
    assert merge(parts[1:2] * 2).to_rows() == [{"x": value} for value in (3, None, 3, None)]


def test_requests_with_other_columns_are_not_encoded_together() -> None:
    good = Columns(SCHEMA.names, [[ROW[name]] for name in SCHEMA.names], 1)
    assert encoder.try_encode([good, good]) is not None
    assert encoder.try_encode([good, Columns(("z",), [[1]], 1)]) is None
    assert encoder.try_encode([Columns(SCHEMA.names, [[]] * len(SCHEMA.names), 0)]) is None
