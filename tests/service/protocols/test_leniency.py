"""What is put up with where other servers do: columns too many, keys beside the rows, lists, lines, Snowflake's."""

import io
import json
from typing import Any
from urllib.parse import unquote

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.columns import Columns
from ekiben.contract.field_fitting import MAX_NAMED, FieldFitter
from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.service.http.ignored_columns import IGNORED_HEADER, MAX_CHARACTERS, ignored_header
from tests.conftest import NAME, PATIENCE_S, Server
from tests.http_client import HTTP
from tests.shop_table import ROW, SCHEMA

IGNORED = IGNORED_HEADER.decode()
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
LINES = "application/jsonlines"
PREDICT = f"/v1/models/{NAME}:predict"


def drop(rows: list[Any]) -> tuple[list[Any], tuple[str, ...]]:
    kept, ignored = FieldFitter(SCHEMA).fit(rows, ignore=True)
    assert isinstance(kept, list)
    return kept, ignored


def test_a_column_of_no_feature_is_dropped_where_every_feature_is_there() -> None:
    assert drop([ROW, {**ROW, "row_id": 7}]) == ([ROW, ROW], ("row_id",))
    assert drop([ROW]) == ([ROW], ())
    misspelt = {"sise" if name == "size" else name: value for name, value in ROW.items()}
    assert drop([misspelt]) == ([misspelt], ())
    assert drop([{**misspelt, "row_id": 7}]) == ([{**misspelt, "row_id": 7}], ())
    assert drop([[1] * 20, 3, None]) == ([[1] * 20, 3, None], ())


def test_columns_come_back_in_the_order_of_the_features() -> None:
    names = ("row_id", *reversed(SCHEMA.names))
    columns = Columns(names, [[name, name] for name in names], 2)
    kept, ignored = FieldFitter(SCHEMA).fit(columns, ignore=True)
    assert isinstance(kept, Columns)
    assert (kept.names, [column[0] for column in kept.values]) == (SCHEMA.names, list(SCHEMA.names))
    assert (ignored, len(kept)) == (("row_id",), 2)


@given(st.lists(st.text(st.characters()), min_size=1, max_size=MAX_NAMED, unique=True))
def test_the_header_is_one_short_line_from_which_the_names_are_read(names: list[str]) -> None:
    names = [name.encode(errors="replace").decode() for name in names]  # of a lone surrogate nothing is left
    ((name, value),) = ignored_header(tuple(names))
    shown = [unquote(part) for part in value.decode("ascii").split(", ")]
    assert name == IGNORED_HEADER
    assert shown == [one if len(one) <= MAX_CHARACTERS else f"{one[:MAX_CHARACTERS]}…" for one in names]
    assert len(value) < 4096
    assert not set(value) & set(b"\r\n<>&\"'")


def test_a_header_does_not_grow_with_the_columns() -> None:
    rows = [{**ROW, **{f"extra {row} {column}": 0 for column in range(100)}} for row in range(3)]
    kept, ignored = drop(rows)
    ((_, value),) = ignored_header(ignored)
    assert kept == [ROW] * 3
    assert value.split(b", ") == [b"extra%%200%%20%d" % column for column in range(MAX_NAMED)] + [b"+"]
    assert ignored_header(()) == ()


# --- the service


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return loaded[:40]


@pytest.fixture(scope="module")
def wanted(server: Server, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answered: list[dict[str, Any]] = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()["predictions"]
    return answered


def post(server: Server, path: str, body: Any, kind: str = JSON, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answered = HTTP.post(
        server.url + path, content=content, headers={"content-type": kind} | headers, timeout=PATIENCE_S
    )
    assert answered.status_code == 200, answered.text
    return answered


def to_lines(rows: list[Any]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


@pytest.mark.slow
def test_a_column_too_many_is_named_in_a_header(
    server: Server, rows: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    wide = [{"<b>ß\r\n": "x", **row, "row_id": index} for index, row in enumerate(rows)]
    table = pd.DataFrame(wide).assign(tags=[[1, 2]] * len(wide))
    parquet = io.BytesIO()
    table.to_parquet(parquet)
    names = list(wide[0])
    split = {"columns": names, "data": [list(row.values()) for row in wide]}
    bodies: list[tuple[str, Any, str]] = [
        ("/invocations", {"dataframe_split": split}, JSON),
        ("/invocations", {"dataframe_records": wide}, JSON),
        ("/invocations", {"inputs": {name: [row[name] for row in wide] for name in names}}, JSON),
        ("/invocations", to_lines(wide), LINES),
        ("/invocations", table.drop(columns="tags").to_csv(index=False).encode(), CSV),
        ("/invocations", parquet.getvalue(), PARQUET),
        (PREDICT, {"instances": wide}, JSON),
        (PREDICT, {"inputs": wide[:1] + wide[1:]}, JSON),
    ]
    for path, body, kind in bodies:
        answered = post(server, path, body, kind)
        assert answered.json() == {"predictions": wanted}, (path, kind)
        listed = [unquote(name) for name in answered.headers[IGNORED].split(", ")]
        assert listed == ["<b>ß\r\n" if kind != CSV else "<b>ß", "row_id", *["tags"] * (kind == PARQUET)] or kind == CSV
    assert post(server, PREDICT, {"instances": wide[:1]}).json() == {"predictions": wanted[:1]}
    assert IGNORED not in post(server, PREDICT, {"instances": rows}).headers


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/invocations", PREDICT])
def test_a_name_too_many_beside_one_that_is_missing_is_an_error(
    server: Server, rows: list[dict[str, Any]], path: str
) -> None:
    misspelt = {"presure" if name == "pressure" else name: value for name, value in rows[0].items()}
    for row in (misspelt, {**misspelt, "row_id": 1}):
        rejected = HTTP.post(server.url + path, json={"instances": [row]})
        assert rejected.status_code == 400
        assert "`presure`: unknown field; did you mean `pressure`?" in rejected.json()["error"]


@pytest.mark.slow
def test_elsewhere_a_column_too_many_is_an_error(server: Server, rows: list[dict[str, Any]]) -> None:
    wide = {**rows[0], "row_id": 1}
    columns = {name: [value] for name, value in wide.items()}
    for path, body in (("/predict", {"rows": [wide]}), (PREDICT, {"inputs": columns})):
        rejected = HTTP.post(server.url + path, json=body)
        assert (rejected.status_code, "`row_id`: unknown field" in rejected.json()["error"]) == (400, True)


@pytest.mark.slow
def test_keys_beside_the_rows_are_left_aside(
    server: Server, rows: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    beside = {"parameters": {"a": 1}, "session": "x", "signature_name": ""}
    assert post(server, PREDICT, {**beside, "instances": rows}).json() == {"predictions": wanted}
    rejected = HTTP.post(server.url + PREDICT, json={**beside, "instance": rows})
    assert rejected.status_code == 400
    assert rejected.json()["error"].endswith("missing; it is required; 'instance' is there; did you mean `instances`?")


@pytest.mark.slow
def test_a_bare_list_is_answered_by_one(
    server: Server, rows: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    assert post(server, "/invocations", rows).json() == wanted
    assert post(server, "/invocations", [list(row.values()) for row in rows]).json() == wanted
    assert post(server, "/invocations", rows, accept=CSV).text.count("\n") == len(rows)
    rejected = HTTP.post(f"{server.url}/invocations", json=list(rows[0].values()))
    assert rejected.json()["error"].startswith("row 0: expected an object with one field per feature, got '")


@pytest.mark.slow
@pytest.mark.parametrize("as_object", [True, False])
def test_snowflakes_rows_are_answered_by_their_numbers(
    server: Server, rows: list[dict[str, Any]], wanted: list[dict[str, Any]], as_object: bool
) -> None:
    data = [[7 * index, row] if as_object else [7 * index, *row.values()] for index, row in enumerate(rows)]
    headers = {"sf-external-function-format": "json", "sf-external-function-format-version": "1.0"}
    answered = post(server, "/invocations", {"data": data}, accept=CSV, **headers)
    assert answered.headers["content-type"] == JSON
    assert answered.json() == {"data": [[7 * index, one] for index, one in enumerate(wanted)]}


@pytest.mark.slow
def test_json_lines_are_answered_by_lines(
    server: Server, rows: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    for kind in (LINES, "application/x-ndjson"):
        answered = post(server, "/invocations", b"\n" + to_lines(rows) + b"\r\n", kind, accept=kind)
        assert answered.headers["content-type"] == kind
        assert [json.loads(line) for line in answered.text.splitlines()] == wanted
    positional = to_lines([list(row.values()) for row in rows]).strip()
    assert post(server, "/invocations", positional, LINES).json() == {"predictions": wanted}
    assert post(server, "/invocations", {"instances": rows}, accept=LINES).text.count("\n") == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is empty: send each row"),
        (b"\n \r\n", 400, "the body is empty: send each row"),
        (b'{"a": 1}\n{"a": \n', 400, "line 2 is not valid JSON"),
        (b'{"a": 1}, {"a": 2}\n', 400, "line 1 is not valid JSON"),
        (b"{}\n" * 20_001, 413, "20001 rows are more than 20000"),
        (b"{}\n" * 20_000 + b"{}", 413, "20001 rows are more than 20000"),
        (b"\n" * 2**20, 413, "rows are more than 20000"),
        (b"[" + b"[]," * 2**20 + b"[]]", 413, "so many values that they would take"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_json_lines_are_rejected(server: Server, body: bytes, status: int, sentence: str) -> None:
    rejected = HTTP.post(f"{server.url}/invocations", content=body, headers={"content-type": LINES})
    assert (rejected.status_code, sentence in rejected.json()["error"]) == (status, True), rejected.text
