"""What a problem file says of its pipeline: `[pipeline]`, and the `[[behaviour]]` that a network must show."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ekiben.contract.schema import Label
from ekiben.training.durations import Duration
from ekiben.training.source_config import Entry


class Pipeline(Entry):
    """What a run reads in place of the source, what its gates ask for, and how often it may train."""

    log: str | None = Field(None, description="a service's row log, whose labelled rows are the table")
    labels: str | None = Field(None, description="table of labels, in place of those in the log")
    alarmed_days: bool = Field(
        False, description="days of the log that have alarms are trained on, too: the world has changed, not the data"
    )
    min_rows: int | None = Field(None, gt=0, description="rows with a label that a run needs")
    min_class_rows: int | None = Field(None, gt=0, description="rows of each class that it needs")
    max_age: Duration | None = Field(None, description="of the newest row that has a label, by the split's time")
    margin: float = Field(0.02, ge=0, description="share of the champion's loss by which the new one may be worse")
    seed: int = Field(0, ge=0, description="of the bootstrap, and of what behavioural tests change")
    image: bool = Field(False, description="build the image, and let it give the golden answers")
    image_options: tuple[str, ...] = Field((), description="the builder's own, such as network=host")
    services: tuple[str, ...] = Field((), description="URLs of those that compare the champion with the challenger")
    shadow_hours: float = Field(24.0, gt=0, description="how long at most they compare")
    cooldown: Duration | None = Field(None, description="least time between two runs that trained")
    runs_a_day: int | None = Field(None, gt=0, description="most runs in 24 hours that trained")

    @model_validator(mode="after")
    def check_labels(self) -> Self:
        """Reject labels of no log."""
        if self.labels is not None and self.log is None:
            raise ValueError("`labels` go with `log`")
        return self


class Behaviour(Entry):
    """What must become of the answers when one feature of the test rows is changed.

    Invariance: they stay. Direction: raised numbers move them up, or down.
    """

    test: Literal["invariance", "direction"] = Field(description="do the answers stay, or move")
    feature: str = Field(description="which is changed")
    tolerance: float = Field(0.0, ge=0, description="in the answer's unit")
    share: float = Field(0.95, gt=0, le=1, description="of the rows that must keep to it")
    by: float | None = Field(None, gt=0, description="the number is raised by this; default: its standard deviation")
    answer: Literal["up", "down"] | None = Field(None, description="where a direction leads")
    of: Label | None = Field(None, description="which class's probability; default: the last class's")

    @model_validator(mode="after")
    def check_direction(self) -> Self:
        """Reject a direction that does not say which, and an invariance that says one."""
        if (self.test == "direction") != (self.answer is not None):
            raise ValueError('a direction says `answer = "up"` or "down", an invariance does not')
        if self.by is not None and self.test != "direction":
            raise ValueError("`by` goes with a direction")
        return self
