"""What a problem file says of what a decision is to be good for: `[decision]`, by which a threshold is learned."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from ekiben.training.source_config import Entry

# Youden's J is twice the balanced accuracy less 1; accuracy is largest where a false alarm and a miss cost the same.
Metric = Literal["f1", "balanced_accuracy"]
Cost = Annotated[FiniteFloat, Field(strict=True, gt=0, le=1e15)]  # a sum over rows stays finite
WAYS = "`metric`, `false_alarm` with `miss`, or `flag`"


class DecisionRule(Entry):
    """What the threshold is chosen for: a metric, what errors cost, or how many rows are to be selected."""

    metric: Metric | None = Field(None, description="as large as possible")
    false_alarm: Cost | None = Field(None, description="what one costs, in any unit; `miss` goes with it")
    miss: Cost | None = Field(None, description="what one costs, in the same unit")
    flag: Annotated[FiniteFloat, Field(strict=True, gt=0, lt=1)] | None = Field(
        None, description="share of the rows that are to be decided for the class: those with the highest probabilities"
    )

    @model_validator(mode="after")
    def check_way(self) -> Self:
        """Reject no way to choose, and two."""
        if (self.false_alarm is None) != (self.miss is None):
            given, missing = ("false_alarm", "miss") if self.miss is None else ("miss", "false_alarm")
            raise ValueError(f"`{given}` needs `{missing}` beside it: say what each of the two costs")
        ways = {"metric": self.metric, "false_alarm": self.false_alarm, "flag": self.flag}
        said = [name for name, value in ways.items() if value is not None]
        if not said:
            raise ValueError(f"it says nothing: say {WAYS}, or leave [decision] out")
        if len(said) > 1:
            raise ValueError(f"`{said[0]}` and `{said[1]}` both choose a threshold: keep one of {WAYS}")
        return self

    @property
    def costs(self) -> tuple[float, float] | None:
        """What a false alarm and a miss cost."""
        return None if self.false_alarm is None or self.miss is None else (self.false_alarm, self.miss)
