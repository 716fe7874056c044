"""What became of each run: `ekiben runs` lists it, and the budget counts from it."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.pipeline.records.keeping import make_state
from ekiben.pipeline.records.record import StepRecord, now
from ekiben.training.whole_file import write_whole

FOLDER = "runs"
Outcome = Literal["unfinished", "promoted", "nothing new", "stopped", "failed", "interrupted"]


class StepDone(BaseModel):
    """A step of a run, and whether there was a record of it."""

    model_config = ConfigDict(frozen=True)

    step: str
    key: str
    reused: bool


class Run(BaseModel):
    """One run of a model's pipeline; times are ISO, in UTC."""

    model_config = ConfigDict(frozen=True)

    id: str
    model: str
    event: dict[str, Any] | None = None
    began: str
    ended: str | None = None
    trained: str | None = None  # when a network was fitted, not one that was kept taken again
    steps: tuple[StepDone, ...] = ()
    outcome: Outcome = "unfinished"
    sentence: str = ""
    version: str | None = None

    @property
    def reason(self) -> str:
        """Why it was started."""
        return str((self.event or {}).get("reason", "manual"))

    def begin(self) -> Self:
        """Return the run, kept before its first step is done."""
        return self._keep()

    def add(self, record: StepRecord, reused: bool) -> Self:
        """Return the run with one more step, kept."""
        done = StepDone(step=record.step, key=record.key, reused=reused)
        before = tuple(one for one in self.steps if one.step != record.step)
        fitted = record.ended if record.step == "train" and not reused else self.trained
        steps = (*before, done)
        version = record.version or self.version
        return self._keep(steps=steps, trained=fitted, version=version, ended=None, outcome="unfinished", sentence="")

    def end(self, outcome: Outcome, sentence: str) -> Self:
        """Return the run with what became of it, kept."""
        return self._keep(ended=now(), outcome=outcome, sentence=sentence)

    def _keep(self, **update: Any) -> Self:
        changed = self.model_copy(update=update)
        write_whole(make_state(FOLDER) / f"{self.id}.json", f"{changed.model_dump_json(indent=1)}\n".encode())
        return changed


def begin_run(model: str, event: dict[str, Any] | None) -> Run:
    """Return a new run; it is not kept yet."""
    began = datetime.now(UTC)
    name = f"{began:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    return Run(id=name, model=model, event=event, began=began.isoformat(timespec="milliseconds"))


def list_runs(model: str) -> list[Run]:
    """Return the runs of a model, the latest first; a file that can't be read is none."""
    return sorted((run for run in _read_all() if run.model == model), key=lambda run: run.began, reverse=True)


def find_run(model: str, after: str) -> Run | None:
    """Return the latest run that did the step of this key, and that no gate has ended."""
    ended = ("promoted", "nothing new", "stopped")
    runs = (run for run in list_runs(model) if any(one.key == after for one in run.steps))
    return next((run for run in runs if run.outcome not in ended), None)


def _read_all() -> Iterator[Run]:
    for path in make_state(FOLDER).glob("*.json"):
        with suppress(OSError, ValidationError):
            yield Run.model_validate_json(path.read_bytes())
