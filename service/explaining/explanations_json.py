"""Explanations as JSON, the same in every protocol that writes rows."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

import orjson

from ekiben.contract.answers import to_predictions
from ekiben.contract.explanation.explanation import to_json
from ekiben.contract.schema import Schema
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.explaining.queue import Explained

WRITTEN_AT_ONCE = 8  # rows, of 20 features a third of a millisecond: predictions don't wait for all of a large answer
MAX_TOP_DIGITS = 9


def read_top(query: bytes) -> int | None:
    """Return how many attributions of each row a query asks for, None: all; raise BadRequest if it is no number."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("top")
    if given is None:
        return None
    text = given[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_TOP_DIGITS and int(text)):
        raise BadRequest(400, f"top: expected a whole number above 0, got {show(text)}")
    return int(text)


async def write_explanations(schema: Schema, explained: Explained, top: int | None = None) -> list[orjson.Fragment]:
    """Return a JSON object for each row, written some at a time."""
    predictions: list[Any] = to_predictions(schema.target, explained.answers)
    written = []
    for index, (prediction, explanation) in enumerate(zip(predictions, explained.explanations, strict=True)):
        if index and index % WRITTEN_AT_ONCE == 0:
            await asyncio.sleep(0)
        content = {"prediction": prediction, **to_json(schema, explanation, top)}
        written.append(orjson.Fragment(orjson.dumps(content)))
    return written
