"""What one look at services, sources and the row log found: the evidence that rules decide by."""

from dataclasses import dataclass

from pydantic import JsonValue

from ekiben.pipeline.triggers.events.event import SENTENCE
from ekiben.training.retrain_config import ScoreBound


@dataclass(frozen=True)
class Alarm:
    """The features that were not as in training, two whole days in a row, in what services of one version saw."""

    version: str
    day: str  # the second
    features: tuple[str, ...]  # in the order of their names
    texts: tuple[str, ...]

    def describe(self) -> dict[str, JsonValue]:
        """Return the evidence, which is the same all day."""
        sentence = f"alarms of {', '.join(self.features)}, two days in a row up to {self.day}"
        return {"day": self.day, "features": list(self.features), "alarms": list(self.texts), SENTENCE: sentence}


@dataclass(frozen=True)
class LiveScore:
    """A metric over labelled rows of one version, and between which values it lies with `CONFIDENCE` on each side."""

    metric: str
    value: float
    low: float
    high: float
    labelled: int  # rows it was computed of
    version: str
    until: str  # when the last of them was answered

    def is_beyond(self, bound: ScoreBound) -> bool:
        """Return whether the whole interval is on the bad side of the bound."""
        if bound.below is not None:
            return self.high < bound.below
        return bound.above is not None and self.low > bound.above

    def describe(self, bound: ScoreBound) -> dict[str, JsonValue]:
        """Return the evidence."""
        beyond = f"below {bound.below:g}" if bound.below is not None else f"above {bound.above:g}"
        sentence = f"the live {self.metric} is {self.value:.3g} ({self.low:.3g} to {self.high:.3g}), {beyond}"
        return {
            "metric": self.metric, "value": self.value, "low": self.low, "high": self.high,
            "labelled": self.labelled, "until": self.until, SENTENCE: sentence,
        }  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What was found; None where it was not looked for, or could not be found, which `troubles` then say."""

    alarms: tuple[Alarm, ...] = ()
    rows: int | None = None  # of the source
    labels: int | None = None  # in the row log
    score: LiveScore | None = None
    troubles: tuple[str, ...] = ()  # one sentence each

    def describe(self) -> dict[str, JsonValue]:
        """Return the numbers, and the sentences where there are none."""
        found: dict[str, JsonValue] = {
            "alarms": len(self.alarms), "rows": self.rows, "labels": self.labels,
            "score": None if self.score is None else self.score.value, "troubles": list(self.troubles),
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}
