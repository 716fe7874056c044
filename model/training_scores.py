"""How good the model was on training's test rows: packed, so that live scores can stand beside it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.errors import InvalidModel
from ekiben.model.golden import MEND

EVALUATION_FILE = "evaluation.json"


@dataclass(frozen=True)
class Covered:
    """How many of the labels of a period lay in their intervals."""

    name: str
    rows: int
    worth: float  # rows of one weight that say as much
    share: float
    low: float  # of the 95% interval of the share, if the rows were independent
    high: float
    width: float  # of the intervals, on average


class TrainingScores(BaseModel):
    """The metrics of the test rows, and of their slices by column and value."""

    model_config = ConfigDict(frozen=True)  # a newer version's file may hold more

    rows: int
    tested: str  # which rows, for a person
    weight: str = ""  # the column that says for how many rows each counts, if there is one
    scores: dict[str, float]
    slices: dict[str, dict[str, dict[str, float]]] = {}  # column → value → metric
    slice_rows: dict[str, dict[str, int]] = {}  # column → value → test rows
    fairness: dict[str, list[dict[str, str | int | float | None]]] = {}  # column → groups and their rates
    calibration: tuple[float, float] = (1.0, 0.0)  # see training/evaluate/estimates
    coverage_by: str = ""  # such as `week`; only of a regression whose rows are split by time
    coverage: tuple[Covered, ...] = ()
    intervals: str = ""  # how they were moved since the network was trained, for a person
    decision: str = ""  # why labels change at the schema's threshold, for a person
    scale: str = ""  # why a number was learned on its scale, for a person

    def save(self, path: Path) -> None:
        """Write the scores as JSON."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_training_scores(path: Path) -> TrainingScores:
    """Read what `TrainingScores.save` wrote; raise InvalidModel if it is missing or damaged."""
    try:
        return TrainingScores.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InvalidModel(f"{path} is missing or damaged: {MEND}") from None
