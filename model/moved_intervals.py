"""By how much a version's intervals were moved after training: a part of its provenance."""

from pydantic import BaseModel, ConfigDict


class Moved(BaseModel):
    """By how much the bounds of intervals were moved apart after training."""

    model_config = ConfigDict(frozen=True)

    version: str  # that was trained
    margin: float  # in the unit of the answers
