"""JSON lines: a row on each line, as SageMaker's batch transform splits a file, and an answer on each."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import check_values, nan_to_null, parse_json
from ekiben.service.offload import LARGE_BYTES


def read_lines(body: bytes, check_count: Callable[[int], None]) -> list[Any]:
    """Return what each line that is not blank holds; raise BadRequest naming the one that is no JSON."""
    check_count(body.count(b"\n"))  # before there is an object for each, blank or not
    if len(body) > LARGE_BYTES:
        check_values(body)
    rows = []
    for number, line in enumerate(io.BytesIO(body), 1):
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            if not line.isspace():
                rows.append(parse_json(line, nan_to_null, f"line {number}"))
    if not rows:
        raise BadRequest(400, "the body is empty: send each row as JSON on a line of its own")
    return rows


def write_lines(predictions: Sequence[Any]) -> bytes:
    """Return predictions, each on a line."""
    return b"".join([orjson.dumps(prediction, option=orjson.OPT_APPEND_NEWLINE) for prediction in predictions])
