"""Wrong rows, as many as a body may have, in every protocol."""

import gzip
import io
import json
from typing import Any

from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema
from ekiben.load_tests.hostile.attack import AttackTarget
from ekiben.load_tests.hostile.wire import post
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, OIP_BINARY, OIP_JSON, TFS_REST, RequestFormat
from ekiben.load_tests.requests.http_message import http_request

MAX_BYTES = 8 * 2**20  # MAX_BODY_BYTES
MAX_ROWS = 20_000  # MAX_REQUEST_ROWS
TEXT = "far"  # where a number should be


def good_rows(target: AttackTarget, count: int) -> list[dict[str, Any]]:
    """Return rows of the table, round and round."""
    rows = target.source.rows
    return [rows[index % len(rows)] for index in range(count)]


def wrong_rows(target: AttackTarget, count: int, value: Any = TEXT) -> list[dict[str, Any]]:
    """Return rows whose first required number is something else."""
    name = required_number(target.source.schema)
    return [row | {name: value} for row in good_rows(target, count)]


def one_wrong_row(target: AttackTarget, count: int, value: Any = TEXT) -> list[dict[str, Any]]:
    """Return good rows, and a wrong one at their end."""
    return [*good_rows(target, count - 1), *wrong_rows(target, 1, value)]


def required_number(schema: Schema) -> str:
    """Return the name of a number that may not be missing."""
    return next(feature.name for feature in schema.features if isinstance(feature, Number) and not feature.nullable)


def short_wrong_rows(count: int = MAX_ROWS) -> bytes:
    """Return a body of rows that have one field, and that one unknown: 8 MB of it are a few KB of gzip."""
    size = MAX_BYTES // count - 20
    return json.dumps({"rows": [{"a" * size: 1}] * count}, separators=(",", ":")).encode()


def ask(target: AttackTarget, request_format: RequestFormat, rows: list[dict[str, Any]], packed: bool = False) -> bytes:
    """Return a POST of these rows in a protocol over HTTP."""
    schema = target.source.schema
    headers, body = request_format.encode(schema, rows)
    if packed:
        headers, body = headers | {"Content-Encoding": "gzip"}, gzip.compress(body)
    return http_request(request_format.path.format(model=schema.name), headers, body)


def ask_rejected(target: AttackTarget, request_format: RequestFormat, count: int) -> bytes:
    """Return a POST of that many rows, the last of them wrong as the dialect can write it."""
    binary = request_format in (OIP_BINARY, OIP_JSON, INVOCATIONS)
    return ask(target, request_format, one_wrong_row(target, count, None if binary else TEXT))


def csv(target: AttackTarget, count: int) -> bytes:
    """Return a POST of that many rows as CSV, the last of them wrong."""
    names = target.source.schema.names
    rows = one_wrong_row(target, count)
    lines = [",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
    return post("/invocations", "\n".join([",".join(names), *lines]).encode(), "text/csv")


def parquet(target: AttackTarget, count: int, rows: list[dict[str, Any]] | None = None) -> bytes:
    """Return a POST of that many rows as Parquet, each of them wrong."""
    import pyarrow
    from pyarrow.parquet import write_table

    output = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(rows or wrong_rows(target, count)), output, compression="zstd")
    return post("/invocations", output.getvalue(), "application/vnd.apache.parquet")


def records(target: AttackTarget, count: int) -> bytes:
    """Return a POST of that many rows as MLflow's records, the last of them wrong."""
    return post("/invocations", json.dumps({"dataframe_records": one_wrong_row(target, count)}).encode())


def instances(target: AttackTarget) -> bytes:
    """Return a POST of 8 MB of rows in TensorFlow Serving's form, each of them wrong, compressed."""
    size = len(json.dumps(wrong_rows(target, 100))) // 100
    return ask(target, TFS_REST, wrong_rows(target, MAX_BYTES // size - 100), packed=True)
