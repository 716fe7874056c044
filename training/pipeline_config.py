"""What a problem file says of its pipeline: `[pipeline]`, and the `[[behaviour]]` that a network must show."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ekiben.contract.schema import Label
from ekiben.training.durations import Duration
from ekiben.training.source_config import Entry


class Pipeline(Entry):
    """What a run reads in place of the source, what its gates ask for, and how often it may train."""

    log: str | None = None  # a service's row log, whose labelled rows are the table
    labels: str | None = None  # of the log, in place of those in it
    alarmed_days: bool = False  # of the log are trained on, too: the world has changed, and not the data's quality
    min_rows: int | None = Field(None, gt=0)  # with a label
    min_class_rows: int | None = Field(None, gt=0)  # of each class
    max_age: Duration | None = None  # of the newest row that has a label, by the split's time
    margin: float = Field(0.02, ge=0)  # of the champion's loss, by which the new one may be worse
    seed: int = Field(0, ge=0)  # of the bootstrap, and of what behavioural tests change
    image: bool = False  # build the image, and let it give the golden answers
    image_options: tuple[str, ...] = ()  # the builder's own, such as network=host
    services: tuple[str, ...] = ()  # that compare the champion with the challenger
    shadow_hours: float = Field(24.0, gt=0)
    cooldown: Duration | None = None  # between two runs that trained
    runs_a_day: int | None = Field(None, gt=0)  # that trained

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

    test: Literal["invariance", "direction"]
    feature: str
    tolerance: float = Field(0.0, ge=0)  # in the answer's unit
    share: float = Field(0.95, gt=0, le=1)  # of the rows must keep to it
    by: float | None = Field(None, gt=0)  # the number is raised (default: its standard deviation)
    answer: Literal["up", "down"] | None = None
    of: Label | None = None  # which class's probability (default: the last class's)

    @model_validator(mode="after")
    def check_direction(self) -> Self:
        """Reject a direction that does not say which, and an invariance that says one."""
        if (self.test == "direction") != (self.answer is not None):
            raise ValueError('a direction says `answer = "up"` or "down", an invariance does not')
        if self.by is not None and self.test != "direction":
            raise ValueError("`by` goes with a direction")
        return self
