"""JSON of strangers: what Python writes is read, and what would take too much memory is not parsed."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import check_values, nan_to_null, parse_json, write_null
from ekiben.service.offload import LARGE_BYTES

TRICKY = st.text(st.sampled_from('NaN"\\, :[]{}é\n'), max_size=12)
VALUES = st.recursive(
    st.none() | st.just(math.nan) | st.integers(-9, 9) | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4),
)


def without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [without_nan(one) for one in value]
    if isinstance(value, dict):
        return {name: without_nan(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


@settings(deadline=None)
@given(VALUES)
def test_nan_becomes_null_and_strings_stay(value: Any) -> None:
    for escaped in (True, False):
        body = json.dumps(value, ensure_ascii=escaped).encode()
        assert orjson.loads(write_null(body)) == without_nan(value)


@pytest.mark.parametrize("rows", [1, 3000], ids=["small", "large"])
def test_nan_is_null_where_it_means_missing_and_an_error_elsewhere(rows: int) -> None:
    body = json.dumps([{"x": math.nan, "s": 'a "NaN" \\'}] * rows).encode()
    assert (len(body) > LARGE_BYTES) == (rows > 1)
    assert parse_json(body, nan_to_null) == [{"x": None, "s": 'a "NaN" \\'}] * rows
    if rows > 1:
        with pytest.raises(BadRequest, match="NaN and Infinity are not either"):
            parse_json(body)


@pytest.mark.parametrize("tail", [b"Infinity]", b"-Infinity]", b"1e999]", b"x]", b"1", b'"\\ud800"]', b"[" * 2000])
def test_what_is_wrong_at_the_end_of_a_large_body_is_one_sentence(tail: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^the body is not valid JSON") as caught:
        parse_json(b"[" + b"1.5, " * 20_000 + tail, nan_to_null)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [b"{}", b"[]", b'{"a":0}', b'"\xc3\xa9"', b"1"])
def test_a_body_that_would_grow_too_much_is_not_parsed(value: bytes) -> None:
    check_values(b"[" + b",".join([value] * 20_000) + b"]")  # as many rows as a request may have
    with pytest.raises(BadRequest, match=r"would take \d+ MiB of memory") as caught:
        parse_json(b"[" + b",".join([value] * 2_000_000) + b"]")
    assert caught.value.status == 413


def test_the_largest_honest_body_is_parsed() -> None:
    row = {f"feature_{number}": number + 0.5 for number in range(20)}
    assert len(parse_json(json.dumps({"rows": [row] * 18_000}).encode())["rows"]) == 18_000
