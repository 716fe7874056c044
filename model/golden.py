"""The golden answers: held-out rows and what the trained network said of them, which every engine must say again."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput, InvalidModel
from ekiben.contract.schema import Schema, Target
from ekiben.contract.validation import validate_rows
from ekiben.model.engine import Engine
from ekiben.model.steps import Step, Steps, finish

MAX_GOLDEN_DIFFERENCE = 1e-5
STEP_ROWS = 64  # encoded and computed in a step
MEND = "pack it again with `ekiben train`"


class Golden(BaseModel):
    """Held-out rows and what the trained network answered, (rows, outputs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: list[dict[str, Any]] = Field(min_length=1)  # what a row may hold, the schema says
    answers: list[list[float]]


def load_golden(path: Path) -> Golden:
    """Read golden rows and their answers; raise InvalidModel if they are damaged."""
    return finish(_read(path))


def replay_golden(path: Path, schema: Schema, engine: Engine) -> Steps[float]:
    """Return the largest difference between the engine's answers and the golden ones, or NaN if one is none."""
    golden = yield from _read(path)
    encoder, largest = Encoder(schema), 0.0
    for start in range(0, len(golden.rows), STEP_ROWS):
        yield Step.BRIEF
        rows, answers = golden.rows[start : start + STEP_ROWS], golden.answers[start : start + STEP_ROWS]
        try:
            encoded = _encode(encoder, rows, start)
            wanted = np.array(answers, np.float32)
        except InvalidInput as error:
            raise InvalidModel(f"a golden row in {path} does not fit the schema ({error}): {MEND}") from error
        except ValueError:  # ragged
            raise _damaged(path) from None
        yield Step.UNLOCKED
        try:
            given = engine.run(encoded)
        except RuntimeError as error:  # LiteRT's
            raise InvalidModel(f"the network can't answer the golden rows in {path} ({error}): {MEND}") from error
        if given.shape != wanted.shape:
            raise InvalidModel(f"{path} has answers of shape {wanted.shape}, the network gives {given.shape}: {MEND}")
        largest = float(np.maximum(largest, measure_difference(schema.target, given, wanted)))  # NaN stays
    return largest


def try_example(path: Path, schema: Schema, engine: Engine) -> Steps[None]:
    """Let the engine of a package without golden rows answer the schema's example.

    Raise InvalidModel if there is no such answer.
    """
    yield Step.BRIEF
    try:
        encoded = Encoder(schema).encode_rows([schema.example])
        yield Step.UNLOCKED
        given = engine.run(encoded)
    except (InvalidInput, RuntimeError) as error:
        raise InvalidModel(f"the network in {path} can't answer the schema's example ({error}): {MEND}") from error
    if given.shape != (1, len(schema.target.outputs)) or not np.isfinite(given).all():
        raise InvalidModel(f"the network in {path} gives the schema's example no answer: {MEND}")


def _read(path: Path) -> Steps[Golden]:
    """Return what the file holds: orjson reads it in a third of the time that pydantic takes."""
    yield Step.UNLOCKED
    read = path.read_bytes()
    try:
        yield Step.BRIEF
        content = orjson.loads(read)
        yield Step.BRIEF
        golden = Golden.model_validate(content)
    except ValueError:  # no JSON, or not that shape
        raise _damaged(path) from None
    if len(golden.rows) != len(golden.answers):
        raise InvalidModel(f"{path} has {len(golden.answers)} answers to {len(golden.rows)} rows: {MEND}")
    return golden


def _encode(encoder: Encoder, rows: list[dict[str, Any]], first: int) -> Encoded:
    try:
        return encoder.encode_rows(rows)
    except InvalidInput:
        validate_rows(encoder.schema, rows, first)  # which counts the rows before them, too
        raise


def _damaged(path: Path) -> InvalidModel:
    return InvalidModel(f"{path} is damaged: {MEND}")


def measure_difference(target: Target, given: Answers, wanted: Answers) -> float:
    """Return the largest difference between two arrays of answers, in units of the target's scale.

    Where an answer is larger than the scale its own size is the unit: float32 knows no better.
    """
    return float((np.abs(given - wanted) / np.maximum(target.scale, np.abs(wanted))).max())
