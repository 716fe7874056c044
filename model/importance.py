"""How much each feature matters to a model's answers: packed, for the model card and for the page."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.errors import InvalidModel
from ekiben.model.golden import MEND

IMPORTANCE_FILE = "importance.json"


class FeatureImportance(BaseModel):
    """The mean size of a feature's attributions, and its standard error, in the unit of explanations."""

    model_config = ConfigDict(frozen=True)

    feature: str
    value: float
    standard_error: float


class Importance(BaseModel):
    """How much each feature matters on average over explained rows, the most important one first."""

    model_config = ConfigDict(frozen=True)  # a newer version's file may hold more

    unit: str  # as contract.explanation.units names it
    rows: int  # held-out rows that were explained
    features: tuple[FeatureImportance, ...]

    def save(self, path: Path) -> None:
        """Write the importance as JSON."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_importance(path: Path) -> Importance:
    """Read what `Importance.save` wrote; raise InvalidModel if it is missing or damaged."""
    try:
        return Importance.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InvalidModel(f"{path} is missing or damaged: {MEND}") from None
