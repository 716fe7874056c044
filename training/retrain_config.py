"""What a problem file says of when the model is to be trained again: `[retrain]`, read by `ekiben watch`."""

from typing import Annotated, Self

from pydantic import Field, FiniteFloat, StrictBool, model_validator

from ekiben.training.durations import Duration
from ekiben.training.source_config import Entry

Count = Annotated[int, Field(strict=True, gt=0)]


class ScoreBound(Entry):
    """A live score that is too bad: below the bound, or, of a loss, above it."""

    metric: str = Field(min_length=1, description="as `ekiben score-live` names it")
    below: Annotated[FiniteFloat, Field(strict=True)] | None = Field(None, description="too bad is less than this")
    above: Annotated[FiniteFloat, Field(strict=True)] | None = Field(None, description="too bad is more: of a loss")

    @model_validator(mode="after")
    def check_bound(self) -> Self:
        """Reject no bound, and two."""
        if (self.below is None) == (self.above is None):
            raise ValueError("say either `below`, such as 0.65, or, of a loss, `above`")
        return self


class Retrain(Entry):
    """When to train again, and how often at most."""

    schedule: Duration | None = Field(None, description="time since the last run")
    new_rows: Count | None = Field(None, description="rows that the source has more than at the last run")
    new_labels: Count | None = Field(None, description="labels in the row log since then")
    drift: StrictBool = Field(False, description="an alarm of the services")
    score: ScoreBound | None = Field(None, description="a live score, over the labelled rows of the row log")
    cooldown: Duration = Field("1h", description="least time since a run began")
    runs_a_day: Count = Field(4, description="most runs in 24 hours")
