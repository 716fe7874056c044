"""What a watcher remembers between looks, and over restarts."""

from pydantic import BaseModel, ConfigDict

from ekiben.pipeline.triggers.events.event import Event
from ekiben.pipeline.triggers.moment import Moment
from ekiben.training.durations import DAY_S

MAX_ANSWERED = 500  # events that are remembered


class Run(BaseModel):
    """A run that was started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Event
    began: Moment
    rows: int | None = None  # of the source, as it began
    labels: int | None = None


class State(BaseModel):
    """One model's: when runs began, what they answered, and from which counts on rows and labels are new."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Moment  # the first look
    starts: tuple[Moment, ...] = ()  # of runs, the latest last: the last one, and those of a day
    running: Run | None = None
    answered: tuple[str, ...] = ()  # ids and keys of events whose runs ended without an error
    last: str = ""  # the id of the event whose run began last
    rows: int | None = None
    labels: int | None = None

    @property
    def last_start(self) -> Moment:
        """When the last run began, or the first look was."""
        return self.starts[-1] if self.starts else self.since

    def settle(self, now: Moment) -> "State":
        """Return the state in moments of this boot, without the starts that no rule needs any more."""
        starts = [now.take_over(start) for start in self.starts]
        recent = [start for start in starts[:-1] if now.since(start) < DAY_S]
        running = self.running and self.running.model_copy(update={"began": now.take_over(self.running.began)})
        return self.model_copy(
            update={"since": now.take_over(self.since), "starts": (*recent, *starts[-1:]), "running": running}
        )

    def count(self, rows: int | None, labels: int | None) -> "State":
        """Return the state after a look: the first counts are where new ones start, and so are counts that fell."""
        return self.model_copy(update={"rows": _start(self.rows, rows), "labels": _start(self.labels, labels)})

    def begin(self, event: Event, now: Moment, rows: int | None, labels: int | None) -> "State":
        """Return the state as a run begins."""
        run = Run(event=event, began=now, rows=rows, labels=labels)
        return self.model_copy(update={"starts": (*self.starts, now), "running": run, "last": event.id})

    def end(self, done: bool) -> "State":
        """Return the state after a run; one that failed has answered nothing, so what asked for it asks again."""
        run = self.running
        ended = self.model_copy(update={"running": None})
        if run is None or not done:
            return ended
        answered = (*self.answered, run.event.id, *([run.event.key] if run.event.evidence else []))
        return ended.model_copy(
            update={
                "answered": answered[-MAX_ANSWERED:],
                "rows": self.rows if run.rows is None else run.rows,
                "labels": self.labels if run.labels is None else run.labels,
            }
        )


def _start(before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return min(before, now)
