"""What a problem file says of when the model is to be trained again: `[retrain]`, read by `ekiben watch`."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, FiniteFloat, StrictBool, model_validator

from ekiben.contract.spellings.durations import read_duration
from ekiben.training.source_config import Entry

DAY_S = 86_400.0
LONGEST_S = 3660 * DAY_S  # ten years


def check_duration(given: Any) -> str:
    """Return a duration such as "7d" or "12h", as it is written; raise ValueError for anything else."""
    seconds = read_duration(given.strip()) if isinstance(given, str) else None
    if seconds is None or not 0 < seconds <= LONGEST_S:
        cron = "; let cron itself call `ekiben run`" if isinstance(given, str) and len(given.split()) >= 5 else ""
        raise ValueError(f'expected a duration such as "7d" or "12h", at most ten years, got {given!r}{cron}')
    return str(given)


def read_seconds(duration: str) -> float:
    """Return the seconds of a duration that was checked."""
    return read_duration(duration.strip()) or 0.0


Duration = Annotated[str, BeforeValidator(check_duration)]
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
