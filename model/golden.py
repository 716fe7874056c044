"""The golden answers: held-out rows and what the trained network said of them, which every engine must say again."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidInput, InvalidModel
from ekiben.contract.feature import Value
from ekiben.contract.schema import Schema, Target
from ekiben.model.engine import Engine

MAX_GOLDEN_DIFFERENCE = 1e-5
MEND = "pack it again with `ekiben train`"


class Golden(BaseModel):
    """Held-out rows and what the trained network answered, (rows, outputs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: list[dict[str, Value]] = Field(min_length=1)
    answers: list[list[float]]


def replay_golden(path: Path, schema: Schema, engine: Engine) -> float:
    """Return the largest difference between the engine's answers and the golden ones."""
    try:
        golden = Golden.model_validate_json(path.read_bytes())
        encoded = Encoder(schema).encode_rows(golden.rows)
        wanted = np.array(golden.answers, np.float32)
    except InvalidInput as error:
        raise InvalidModel(f"a golden row in {path} does not fit the schema ({error}): {MEND}") from error
    except ValueError:  # no JSON, not that shape, or ragged
        raise InvalidModel(f"{path} is damaged: {MEND}") from None
    given = engine.run(encoded)
    if given.shape != wanted.shape:
        raise InvalidModel(f"{path} has answers of shape {wanted.shape}, the network gives {given.shape}: {MEND}")
    return measure_difference(schema.target, given, wanted)


def measure_difference(target: Target, given: Answers, wanted: Answers) -> float:
    """Return the largest difference between two arrays of answers, in units of the target's scale.

    Where an answer is larger than the scale its own size is the unit: float32 knows no better.
    """
    return float((np.abs(given - wanted) / np.maximum(target.scale, np.abs(wanted))).max())
