"""What a problem file says of when the model is to be trained again: `[retrain]`, read by `ekiben watch`."""

from typing import Annotated, Self

from pydantic import Field, FiniteFloat, StrictBool, model_validator

from ekiben.training.durations import Duration
from ekiben.training.source_config import Entry

Count = Annotated[int, Field(strict=True, gt=0)]


class ScoreBound(Entry):
    """A live score that is too bad: below the bound, or, of a loss, above it."""

    metric: str = Field(min_length=1)
    below: Annotated[FiniteFloat, Field(strict=True)] | None = None
    above: Annotated[FiniteFloat, Field(strict=True)] | None = None

    @model_validator(mode="after")
    def check_bound(self) -> Self:
        """Reject no bound, and two."""
        if (self.below is None) == (self.above is None):
            raise ValueError("say either `below`, such as 0.65, or, of a loss, `above`")
        return self


class Retrain(Entry):
    """When to train again, and how often at most."""

    schedule: Duration | None = None  # since the last run
    new_rows: Count | None = None  # of the source
    new_labels: Count | None = None  # in the row log
    drift: StrictBool = False  # an alarm of the services: two windows in a row
    score: ScoreBound | None = None  # over the labelled rows of the row log
    cooldown: Duration = "1h"  # after a run began
    runs_a_day: Count = 4
