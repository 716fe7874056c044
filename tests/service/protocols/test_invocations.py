"""What /invocations takes and gives: every form of rows, what pandas and SageMaker do with them, and what is wrong."""

import asyncio
import contextlib
import datetime
import decimal
import io
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben.contract.columns import Columns
from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Number
from ekiben.contract.validation import validate_rows
from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.service.error_status import ErrorResponse
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.protocols.invocations import error_body
from ekiben.service.protocols.invocations.csv_form import CsvReader
from ekiben.service.protocols.invocations.errors import CODES
from ekiben.service.protocols.invocations.json_forms import JsonReader
from ekiben.service.protocols.invocations.media import CSV, JSON, LINES, PARQUET, read_accept, read_content_type
from ekiben.service.protocols.invocations.parquet_form import ParquetReader
from tests.conftest import NAME, Server, serve
from tests.http_client import HTTP
from tests.shop_table import EMPTY, ROW, SCHEMA, arrow_table, same

MAX_ROWS = 100


def check_count(rows: int) -> None:
    if rows > MAX_ROWS:
        raise BadRequest(413, f"{rows} rows are more than {MAX_ROWS}")


def read_json(content: Any) -> list[Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    rows = JsonReader(SCHEMA, check_count).read(parse_json(body, nan_to_null))
    return rows.to_rows() if isinstance(rows, Columns) else rows


def read_csv(body: bytes, header: bool | None = None) -> list[Any]:
    return CsvReader(SCHEMA, MAX_ROWS, check_count).read(body, header).to_rows()


def read_parquet(body: bytes, timeout_s: float = 30, max_bytes: int = 2**20) -> list[Any]:
    async def read() -> list[Any]:
        with contextlib.closing(ParquetReader(SCHEMA, MAX_ROWS, max_bytes, check_count)) as reader:
            return (await reader.read(body, timeout_s))[0].to_rows()

    return asyncio.run(read())


def to_parquet(table: pa.Table | pd.DataFrame, **options: Any) -> bytes:
    output = io.BytesIO()
    pq.write_table(table, output, **options) if isinstance(table, pa.Table) else table.to_parquet(output, **options)
    return output.getvalue()


# --- JSON


def positional(*rows: dict[str, Any]) -> list[list[Any]]:
    return [list(row.values()) for row in rows]


def columns(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in SCHEMA.names}


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": list(SCHEMA.names), "data": positional(ROW, EMPTY), "index": [7, 8]}},
        {"dataframe_split": {"data": positional(ROW, EMPTY)}},
        {"dataframe_records": [ROW, EMPTY]},
        {"dataframe_records": [ROW, EMPTY], "params": {"a": 1}, "parameters": 3, "signature_name": "x"},
        {"instances": [ROW, EMPTY]},
        {"instances": positional(ROW, EMPTY)},
        {"inputs": [ROW, EMPTY]},
        {"inputs": positional(ROW, EMPTY)},
        {"inputs": columns(ROW, EMPTY)},
        {"inputs": {name: [[value] for value in column] for name, column in columns(ROW, EMPTY).items()}},
    ],
    ids=lambda content: json.dumps(content)[:40],
)
def test_every_form_of_json_holds_the_same_rows(content: dict[str, Any]) -> None:
    assert read_json(content) == [ROW, EMPTY]


def test_a_value_alone_is_a_column_of_one_row() -> None:
    assert read_json({"inputs": ROW}) == [ROW]


def test_what_pandas_and_python_write_for_missing_is_missing() -> None:
    nothing = {"size": float("nan"), "shelf": float("nan"), "colour": float("nan"), "sale": float("nan")}
    body = {"dataframe_records": [{**nothing, "seen": "NaT", "sold": "NaT"}]}
    assert read_json(body) == [EMPTY]
    assert read_json({"inputs": {name: [value] for name, value in body["dataframe_records"][0].items()}}) == [EMPTY]


def test_whole_floats_are_integers_and_truths() -> None:
    assert read_json({"dataframe_records": [ROW | {"shelf": 3.0, "sale": 1.0}]}) == [ROW]
    assert read_json({"instances": positional(ROW | {"shelf": 3.0, "sale": 1})}) == [ROW]


def test_an_infinity_is_no_missing_value() -> None:
    with pytest.raises(InvalidInput, match="row 0: `size`: expected a finite number, got inf"):
        validate_rows(
            SCHEMA, read_json(b'{"dataframe_records": [' + json.dumps(ROW | {"size": 1e999}).encode() + b"]}")
        )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([ROW], 'expected an object such as {"dataframe_records": [...]}, got a list'),
        ({}, "expected one of `dataframe_split`, `dataframe_records`, `instances`, `inputs`, got none"),
        ({"dataframe_record": []}, "got none; did you mean `dataframe_records`?"),
        ({"instances": [], "inputs": []}, "both `instances` and `inputs` are there: send one of them"),
        ({"instances": None}, "`instances`: expected a list of rows, got null"),
        ({"instances": ROW}, "`instances`: expected a list of rows, got an object"),
        ({"inputs": 5}, "`inputs`: expected a list of rows, got 5"),
        ({"dataframe_records": {}}, "`dataframe_records`: expected a list of rows, got an object"),
        ({"dataframe_split": []}, '`dataframe_split`: expected an object such as {"columns": [...], "data": [...]}'),
        ({"dataframe_split": {}}, "`dataframe_split`: `data` is missing"),
        ({"dataframe_split": {"data": 1}}, "`dataframe_split`: expected rows in `data`, got 1"),
        ({"dataframe_split": {"data": [], "colums": []}}, "'colums' is not a part of it; did you mean `columns`?"),
        ({"dataframe_split": {"data": [], "columns": [0]}}, "expected a list of names in `columns`, got 0 in it"),
        ({"dataframe_split": {"data": [], "columns": "size"}}, "expected a list of names in `columns`, got 'size'"),
        ({"dataframe_split": {"data": [], "columns": ["size", "size"]}}, "`size`: is there twice"),
        ({"dataframe_split": {"data": [[1], []], "columns": ["size"]}}, "row 1: expected a list of 1 values"),
        ({"dataframe_split": {"data": [[1], 5], "columns": ["size"]}}, "row 1: expected a list of values, got 5"),
        ({"instances": [[1]]}, "row 0: expected 6 values in the order of the features, got 1"),
        ({"inputs": columns(ROW) | {"size": [1, 2]}}, "`shelf`: has 1 values, `size` has 2"),
        ({"inputs": {"size": [1] * 101}}, "101 rows are more than 100"),
        ({"instances": [1] * 101}, "101 rows are more than 100"),
        ({"dataframe_split": {"data": [[1]] * 101}}, "101 rows are more than 100"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_wrong_with_json_is_one_sentence(content: Any, sentence: str) -> None:
    with pytest.raises((BadRequest, InvalidInput)) as rejected:
        read_json(content)
    assert sentence in str(rejected.value)


@pytest.mark.parametrize(
    "content",
    [{"instances": []}, {"inputs": {}}, {"dataframe_records": []}, {"dataframe_split": {"data": [], "columns": []}}],
)
def test_no_rows_are_named_as_the_caller_names_them(content: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"^`{next(iter(content))}`: expected at least one row, got none"):
        read_json(content)


# --- CSV


def test_csv_with_a_header_in_any_order_or_without_holds_the_same_rows() -> None:
    table = pd.DataFrame([ROW, EMPTY])
    reverse = table[list(reversed(SCHEMA.names))].to_csv(index=False).encode()
    bare = table.to_csv(index=False, header=False).encode()
    for body in (reverse, bare, b"\xef\xbb\xbf" + reverse, reverse.replace(b"\n", b"\r\n"), b"\n" + bare + b"\n\n"):
        assert same(read_csv(body), [ROW | {"shelf": "3"}, EMPTY])


def test_a_blank_may_stand_before_a_quote() -> None:
    (row,) = read_csv(b'size, colour\n1, "red, or not"\n')
    assert row == {"size": 1.0, "colour": "red, or not"}


def test_rows_within_a_value_are_an_error_and_lines_of_text_are_not() -> None:
    with pytest.raises(BadRequest, match=r"^line 4: a quote is opened before '5 inch.* closed only after what look"):
        read_csv(b'size,colour\n1,"5 inch\n2,red\n3,7 inch"\n')
    (row,) = read_csv(b'size,colour\n1,"red,\nor not"\n')
    assert row == {"size": 1.0, "colour": "red,\nor not"}


def test_pandas_index_is_not_looked_at() -> None:
    assert same(read_csv(pd.DataFrame([ROW]).to_csv().encode()), [ROW])
    table = pd.DataFrame([ROW], index=pd.Index([5.5]))
    assert same(read_parquet(to_parquet(table)), [ROW])


def test_a_row_may_look_like_a_header_and_a_header_like_a_row() -> None:
    header, line = b"a,b,c,d,e,f\n", b"1,3,red,1,,\n"
    assert list(read_csv(header + line, True)[0]) == list("abcdef")
    names = ",".join(SCHEMA.names).encode() + b"\n"
    assert [row["colour"] for row in read_csv(names + line, False)] == ["colour", "red"]
    with pytest.raises(InvalidInput, match="`sise`: unknown field; did you mean `size`"):
        validate_rows(SCHEMA, read_csv(names.replace(b"size", b"sise") + line))


def test_quotes_hold_commas_lines_and_quotes() -> None:
    body = b'size,shelf,colour,sale,seen,sold\n1,3,"a, ""b""\nc",1,,\n'
    assert read_csv(body)[0]["colour"] == 'a, "b"\nc'


@pytest.mark.parametrize(
    ("body", "header", "sentence"),
    [
        (b"", None, "the body is empty"),
        (b"\n\n", None, "the body is empty"),
        (b"\xff\xfe", None, "not UTF-8 at byte 0"),
        (b"1,2\n3,\0\n", None, "a NUL character in line 2"),
        (b"1,2\n", None, "line 1: expected 6 cells, in the order of the features, got 2"),
        (b"size,shelf\n\n1,2\n3\n", None, "line 4: expected 2 cells, one for each name in the header, got 1"),
        (b'size,shelf\n"1\n",2\n3\n', None, "line 4: expected 2 cells"),
        (b"size,size\n1,2\n", None, "`size`: is there twice"),
        (b'1,2,3,4,5,6\n"3', None, "can't be read in line 2: unexpected end of data"),
        (b'1,"2"3', None, "can't be read in line 1"),
        (b"1," + b"2" * 200_000, None, "can't be read in line 1: field larger than field limit"),
        (b"," * 600_000, None, "line 1: a row, with blank lines before it, has more than 524288 characters"),
        (b'size\n"1\n",' + b'"\n",' * 200_000, None, "a row, with blank lines before it, has more than"),
        (b"1,2,3,4,5,6\n" + b"\n" * 600_000, None, "a row, with blank lines before it, has more than"),
        (b"1,2,3,4,5,6\n" * 5000, None, "5000 rows are more than 100"),
        (b"size\n" + b"1\n" * 101, None, "101 rows are more than 100"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_with_csv_is_one_sentence(body: bytes, header: bool | None, sentence: str) -> None:
    with pytest.raises((BadRequest, InvalidInput)) as rejected:
        read_csv(body, header)
    assert sentence in str(rejected.value)


def test_a_table_may_be_longer_than_a_row_may() -> None:
    rows = read_csv(b"colour,size\n\n" + (b"x" * 100_000 + b",1\n\n") * 10)
    assert [row["colour"] for row in rows] == ["x" * 100_000] * 10


def test_a_header_alone_holds_no_rows() -> None:
    assert read_csv(",".join(SCHEMA.names).encode()) == []


# --- Parquet


@pytest.mark.parametrize(
    "replaced",
    [
        {},
        {"size": pa.array([1.5, float("nan")], pa.float32())},
        {"size": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2))},
        {"size": pa.array([1.5, None], pa.float16()), "shelf": pa.array([3, None], pa.uint64())},
        {"shelf": pa.array([3.0, float("nan")]), "sale": pa.array([1.0, float("nan")])},
        {"colour": pa.array(["red", None], pa.large_string()), "sale": pa.array([1, None], pa.int8())},
        {"colour": pa.array(["red", None]).dictionary_encode(), "shelf": pa.array(["3", None])},
        {"colour": pa.array([b"red", None])},
        {"seen": pa.array([datetime.datetime(2013, 7, 4, 10), None], pa.timestamp("ns"))},
        {"sold": pa.array([datetime.datetime(2013, 7, 4, 10), None], pa.timestamp("us", "America/New_York"))},
    ],
    ids=lambda replaced: " ".join(f"{name}:{column.type}" for name, column in replaced.items()) or "plain",
)
@pytest.mark.parametrize("compression", ["snappy", "zstd"])
def test_arrow_types_hold_the_same_rows(replaced: dict[str, pa.Array], compression: str) -> None:
    rows = read_parquet(to_parquet(arrow_table(**replaced), compression=compression))
    assert same(rows, [ROW, EMPTY])


def test_a_date_is_its_midnight() -> None:
    table = arrow_table(seen=pa.array([datetime.date(2013, 7, 4), None]))
    assert same(read_parquet(to_parquet(table)), [ROW | {"seen": "2013-07-04T00:00:00"}, EMPTY])


def test_a_table_of_pandas_holds_the_same_rows() -> None:
    table = pd.DataFrame([ROW, EMPTY])
    for name in ("seen", "sold"):
        table[name] = pd.to_datetime(table[name])
    table["colour"] = table["colour"].astype("category")
    assert same(read_parquet(to_parquet(table)), [ROW, EMPTY])


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        ({"size": pa.array([1.0, float("inf")])}, "row 1: `size`: expected a finite number, got inf"),
        ({"size": pa.array([[1.0], None])}, "row 0: `size`: expected a number, got a list"),
        ({"size": pa.array([{"a": 1}, None])}, "row 0: `size`: expected a number, got an object"),
        ({"size": pa.array([datetime.timedelta(1), None])}, "row 0: `size`: expected a number, got '24:00:00'"),
        ({"seen": pa.array([datetime.time(1), None])}, "row 0: `seen`: expected an ISO 8601"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_column_is_named(replaced: dict[str, pa.Array], sentence: str) -> None:
    with pytest.raises(InvalidInput) as rejected:
        validate_rows(SCHEMA, read_parquet(to_parquet(arrow_table(**replaced))))
    assert sentence in str(rejected.value)


def test_a_column_too_many_is_read_over_unless_another_is_missing() -> None:
    table = arrow_table(sise=pa.array([1, 2]), tags=pa.array([[1], [2]]))
    assert same(read_parquet(to_parquet(table)), [ROW, EMPTY])
    with pytest.raises(InvalidInput, match="row 0: `sise`: unknown field; did you mean `size`"):
        read_parquet(to_parquet(table.drop_columns("size")))


def twice() -> pa.Table:
    return pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["size", "size"])


def bomb() -> bytes:
    """Kilobytes that unpack to gigabytes: a long text that a dictionary holds once."""
    colour = pa.DictionaryArray.from_arrays(pa.array([0] * MAX_ROWS, pa.int32()), pa.array(["x" * 20_000_000]))
    return to_parquet(pa.table({"colour": colour}), compression="zstd", store_schema=False)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "not a Parquet file"),
        (b"PAR1PAR1", 400, "not a Parquet file"),
        (b"PAR1" + b"\0" * 40 + b"PAR1", 400, "can't be read"),
        (b"PAR1" + b"\xff" * 40 + b"PAR1", 400, "can't be read"),
        (to_parquet(pa.table({"size": [1] * 101})), 413, "101 rows are more than 100"),
        (to_parquet(pa.table({"size": [1] * 5_000_000})), 413, "5000000 rows are more than 100"),
        (to_parquet(pa.table({"colour": ["x" * 20_000_000]})), 413, "unpacks to more than 1048576 bytes"),
        (bomb(), 413, "unpacks to more than 1048576 bytes"),
    ],
    ids=["empty", "short", "zeros", "ones", "rows", "many rows", "long", "bomb"],
)
def test_what_is_wrong_with_parquet_is_one_sentence(body: bytes, status: int, sentence: str) -> None:
    with pytest.raises(BadRequest) as rejected:
        read_parquet(body)
    assert (rejected.value.status, sentence in str(rejected.value)) == (status, True), rejected.value


def test_a_column_that_is_there_twice_is_rejected() -> None:
    with pytest.raises(InvalidInput, match="`size`: is there twice"):
        read_parquet(to_parquet(twice()))


# --- damaged bodies

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(SCHEMA.names),
    lambda inner: (
        st.lists(inner, max_size=7)
        | st.dictionaries(st.sampled_from([*SCHEMA.names, "columns", "data", "index"]) | st.text(max_size=3), inner)
    ),
    max_leaves=20,
)
FORM_NAMES = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"])
CELLS = st.sampled_from(['"', ",", "\n", "\r", "\0", "size", "colour", "shelf", "1", "3.0", "NaN", "é", " ", "\ufeff"])


def is_rejected_or_read(read: Any, *given: Any) -> None:
    """Nothing but the two errors a caller may see, neither from the reader nor from the checks after it."""
    with contextlib.suppress(BadRequest, InvalidInput):
        validate_rows(SCHEMA, read(*given))


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(FORM_NAMES, JSON_VALUES, max_size=2) | JSON_VALUES)
def test_any_json_is_read_or_rejected(content: Any) -> None:
    is_rejected_or_read(read_json, content)


@settings(max_examples=400, deadline=None)
@given(st.lists(CELLS, max_size=60).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=80))
def test_any_csv_is_read_or_rejected(body: bytes) -> None:
    is_rejected_or_read(read_csv, body)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_parquet_is_read_or_rejected(data: Any) -> None:
    good = to_parquet(arrow_table())
    damaged = bytearray(good)
    for index in data.draw(st.lists(st.integers(4, len(good) - 5), min_size=1, max_size=6)):
        damaged[index] = data.draw(st.integers(0, 255))
    is_rejected_or_read(read_parquet, bytes(damaged))


# --- headers


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (b"application/json", (JSON, None)),
        (b"Application/JSON; Charset=UTF-8", (JSON, None)),
        (b'application/json;charset="utf-8"', (JSON, None)),
        (b"text/csv", (CSV, None)),
        (b"text/csv; header=present; charset=utf-8", (CSV, True)),
        (b"text/csv;header=absent", (CSV, False)),
        (b"application/vnd.apache.parquet", (PARQUET, None)),
        (b"application/x-parquet", (PARQUET, None)),
        (b"application/jsonlines", (LINES, None)),
        (b"application/x-ndjson; charset=utf-8", (LINES, None)),
        (None, ("", None)),
    ],
)
def test_a_content_type_names_the_form(given: bytes | None, wanted: Any) -> None:
    assert read_content_type(given) == wanted


@pytest.mark.parametrize(
    "given",
    [b"text/plain", b"application/json; charset=latin-1", b"application/json; header=present", b"text/csv; header=2",
     b"application/json; profile=x", b"application/octet-stream"],
)  # fmt: skip
def test_other_content_types_are_rejected(given: bytes) -> None:
    with pytest.raises(BadRequest, match="is not supported: send") as rejected:
        read_content_type(given)
    assert rejected.value.status == 415


@pytest.mark.parametrize(
    ("given", "default", "wanted"),
    [
        (None, JSON, JSON),
        (b"", CSV, CSV),
        (b"*/*", JSON, JSON),
        (b"*/*", CSV, CSV),
        (b"text/csv", JSON, CSV),
        (b"application/json", CSV, JSON),
        (b"Text/CSV; charset=utf-8", JSON, CSV),
        (b"text/*", JSON, CSV),
        (b"text/csv, application/json", JSON, JSON),
        (b"application/json;q=0.5, text/csv", JSON, CSV),
        (b"text/csv;q=0.1, */*", JSON, JSON),
        (b"application/json;q=0, */*", JSON, CSV),
        (b"text/html, application/xhtml+xml, */*;q=0.8", JSON, JSON),
        (b"text/csv;q=x", JSON, CSV),
        (b"application/jsonlines", JSON, LINES),
        (b"application/x-ndjson", JSON, "application/x-ndjson"),
        (None, LINES, LINES),
        (b"application/*", CSV, JSON),
    ],
)
def test_accept_names_the_form_of_the_answer(given: bytes | None, default: str, wanted: str) -> None:
    assert read_accept(given, default) == wanted


@pytest.mark.parametrize("given", [b"application/xml", b"image/*", b"application/json;q=0", b"text/csv;q=-1"])
def test_what_is_not_written_is_406(given: bytes) -> None:
    with pytest.raises(BadRequest, match="is not written here: accept") as rejected:
        read_accept(given, JSON)
    assert rejected.value.status == 406


def test_error_codes_are_mlflows() -> None:
    from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS

    assert all(ERROR_CODE_TO_HTTP_STATUS[code] == status for status, code in CODES.items())
    assert error_body(ErrorResponse(413, "x")) == {"error": "x", "error_code": "BAD_REQUEST", "message": "x"}
    assert error_body(ErrorResponse(501, "x"))["error_code"] == "INTERNAL_ERROR"


# --- the service


@pytest.fixture(scope="module")
def golden(model: PackedModel) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return loaded


def invoke(server: Server, body: Any, kind: str | None = JSON, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kinds = {"content-type": kind} if kind is not None else {}
    return HTTP.post(f"{server.url}/invocations", content=content, headers=kinds | headers)


def predict(server: Server, rows: list[dict[str, Any]]) -> Any:
    return HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()["predictions"]


def with_datetimes(rows: list[dict[str, Any]], model: PackedModel) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for feature in model.schema.timestamps:
        table[feature.name] = pd.to_datetime(table[feature.name])
    return table


@pytest.mark.slow
def test_all_forms_get_the_bits_of_predict(server: Server, golden: list[dict[str, Any]], model: PackedModel) -> None:
    golden = golden * 2
    wanted = predict(server, golden)
    names = list(model.schema.names)
    data = [[row[name] for name in names] for row in golden]
    table = with_datetimes(golden, model)
    bodies: list[tuple[Any, str | None]] = [
        ({"dataframe_split": {"columns": names, "data": data}}, JSON),
        ({"dataframe_records": golden}, JSON),
        ({"instances": golden}, JSON),
        ({"instances": data}, JSON),
        ({"inputs": golden}, None),
        ({"inputs": data}, JSON),
        ({"inputs": {name: [row[name] for row in golden] for name in names}}, JSON),
        (table.to_csv(index=False).encode(), CSV),
        (table[names].to_csv(index=False, header=False).encode(), CSV),
        (to_parquet(table), PARQUET),
    ]
    assert len(table.to_csv()) > 65_536  # read in a thread
    for body, kind in bodies:
        answered = invoke(server, body, kind)
        assert answered.status_code == 200, answered.text
        assert answered.json() == {"predictions": wanted}


@pytest.mark.slow
def test_open_inference_tensors_get_tensors(server: Server, golden: list[dict[str, Any]], model: PackedModel) -> None:
    inputs = [
        {"name": one.name, "shape": [2], "datatype": "FP32" if isinstance(one, Number) else "BYTES",
         "data": [row[one.name] for row in golden[:2]]}
        for one in model.schema.features
    ]  # fmt: skip
    answered = invoke(server, {"inputs": inputs, "id": "mine"}).json()
    assert answered["id"] == "mine"
    probabilities = next(one["data"] for one in answered["outputs"] if one["name"] == "probability")
    assert probabilities == [one["probability"] for one in predict(server, golden[:2])]
    rejected = invoke(server, {"inputs": [{**inputs[0], "shape": [3]}]})
    assert (rejected.status_code, rejected.json()["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.slow
def test_sagemaker_may_ask_for_csv(server: Server, golden: list[dict[str, Any]], model: PackedModel) -> None:
    body = pd.DataFrame(golden[:5])[list(model.schema.names)].to_csv(index=False, header=False).encode()
    ignored = {"x-amzn-sagemaker-target-model": f"{NAME}.tar.gz", "x-amzn-sagemaker-custom-attributes": "a=b"}
    answered = invoke(server, body, CSV, accept=CSV, **ignored)
    assert answered.headers["content-type"] == CSV
    table = pd.read_csv(io.StringIO(answered.text), names=["probability", "label"], float_precision="round_trip")
    assert table.to_dict("records") == predict(server, golden[:5])
    assert invoke(server, body, CSV, accept="application/xml").status_code == 406


@pytest.mark.slow
def test_sagemaker_may_set_the_answers_form(model: PackedModel, tmp_path: Path, golden: list[dict[str, Any]]) -> None:
    with serve(tmp_path, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=CSV) as server:
        assert invoke(server, {"instances": golden[:3]}).headers["content-type"] == CSV
        assert invoke(server, {"instances": golden[:3]}, accept=JSON).json()["predictions"]
        assert HTTP.get(f"{server.url}/ping").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b"{", JSON, 400, "the body is not valid JSON"),
        (b"1,2", None, 415, "the content type is missing: send application/json, application/jsonlines, text/csv or"),
        (b"x", "text/plain", 415, "content type 'text/plain' is not supported"),
        ({"instances": []}, JSON, 400, "`instances`: expected at least one row"),
        (b"a,b\n", "text/csv; header=present", 400, "the CSV body has only a line of names"),
        ({"instances": [{}]}, JSON, 400, "missing; it is required"),
        ({"instances": [1, 2]}, JSON, 400, "row 0: expected an object with one field per feature, got 1"),
        ({"dataframe_records": [{"distanse": 1}]}, JSON, 400, "row 0: `distanse`: unknown field; did you mean"),
        ({"instances": [{}] * 20_001}, JSON, 413, "20001 rows are more than 20000"),
        ((b"1," * 19 + b"1\n") * 100_000, CSV, 413, "100000 rows are more than 20000"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_told(server: Server, body: Any, kind: str | None, status: int, sentence: str) -> None:
    rejected = invoke(server, body, kind)
    assert rejected.status_code == status
    content = rejected.json()
    assert rejected.headers["content-type"] == "application/json"
    assert sentence in content["error"]
    assert content == {"error": content["error"], "error_code": "BAD_REQUEST", "message": content["error"]}


@pytest.mark.slow
def test_a_wrong_row_gets_the_sentence_of_predict(server: Server, golden: list[dict[str, Any]]) -> None:
    rows = [golden[0], golden[1] | {"distance": "far"}]
    wanted = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()["error"]
    names = list(rows[0])
    split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
    bodies = [({"dataframe_split": split}, JSON), ({"instances": rows}, JSON), (to_csv(rows), CSV)]
    assert wanted.startswith("row 1: `distance`: expected a number, got 'far'")
    assert [invoke(server, body, kind).json()["error"] for body, kind in bodies] == [wanted] * 3


def to_csv(rows: list[dict[str, Any]]) -> bytes:
    return pd.DataFrame(rows).to_csv(index=False).encode()


@pytest.mark.slow
def test_a_large_body_keeps_nobody_waiting(server: Server, golden: list[dict[str, Any]], model: PackedModel) -> None:
    rows = (golden * 20_000)[:15_000]
    table = with_datetimes(rows, model)
    csv, parquet = table.to_csv(index=False).encode(), to_parquet(table)
    with ThreadPoolExecutor(2) as pool:
        for body, kind in ((csv, CSV), (parquet, PARQUET)):
            asked = pool.submit(invoke, server, body, kind)
            waits = []
            while not asked.done():
                started = time.perf_counter()
                assert HTTP.get(f"{server.url}/ping").status_code == 200
                waits.append(time.perf_counter() - started)
            assert asked.result().status_code == 200, asked.result().text
            assert max(waits) < 1.0, (kind, max(waits))  # SageMaker gives a probe two seconds


@pytest.mark.slow
def test_the_version_is_told_and_a_health_probe_needs_no_body(server: Server) -> None:
    version = HTTP.get(f"{server.url}/version")
    assert (version.status_code, version.headers["content-type"]) == (200, "text/plain")
    assert version.text == HTTP.get(f"{server.url}/v2").json()["version"]
    assert HTTP.get(f"{server.url}/invocations").status_code == 405
    assert [HTTP.get(f"{server.url}/{path}").status_code for path in ("ping", "health")] == [200, 200]


@pytest.mark.slow
def test_parquet_that_ends_its_reader_leaves_the_service_alone(server: Server, golden: list[dict[str, Any]]) -> None:
    good = to_parquet(pd.DataFrame(golden))
    worker = HTTP.get(f"{server.url}/ping")
    generator = np.random.default_rng(1)
    for _ in range(20):
        damaged = bytearray(good)
        for index in generator.integers(4, len(good) - 4, 4):
            damaged[index] = int(generator.integers(256))
        assert invoke(server, bytes(damaged), PARQUET).status_code in (200, 400)
    assert worker.status_code == 200
    assert invoke(server, good, PARQUET).json()["predictions"] == predict(server, golden)
    assert not os.path.exists("core")
