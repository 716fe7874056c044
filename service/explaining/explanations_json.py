"""Explanations as JSON, the same in every protocol that writes rows."""

import asyncio
from typing import Any

import orjson

from ekiben.contract.answers import to_predictions
from ekiben.contract.explanation.explanation import to_json
from ekiben.contract.schema import Schema, Target
from ekiben.service.explaining.queue import Explained

WRITTEN_AT_ONCE = 8  # rows, of 20 features a third of a millisecond: predictions don't wait for all of a large answer


async def write_explanations(
    schema: Schema, explained: Explained, target: Target, top: int | None = None
) -> list[orjson.Fragment]:
    """Return a JSON object for each row, written some at a time; the target is the schema's, as the caller wants it."""
    predictions: list[Any] = to_predictions(target, explained.answers)
    written = []
    for index, (prediction, explanation) in enumerate(zip(predictions, explained.explanations, strict=True)):
        if index and index % WRITTEN_AT_ONCE == 0:
            await asyncio.sleep(0)
        content = {"prediction": prediction, **to_json(schema, explanation, top)}
        written.append(orjson.Fragment(orjson.dumps(content)))
    return written
