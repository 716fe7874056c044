"""A whole run in one process, or a step of one: `ekiben run` and `ekiben step`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ekiben.contract.errors import UserError
from ekiben.model.store import check_writable
from ekiben.pipeline import engine
from ekiben.pipeline.budget import find_refusal
from ekiben.pipeline.engine import Done
from ekiben.pipeline.lock import RunLock
from ekiben.pipeline.records.journal import Outcome, Run, begin_run, find_run
from ekiben.pipeline.records.record import StepRecord, Verdict, stop
from ekiben.pipeline.step import Options
from ekiben.pipeline.steps import STEPS
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_json
from ekiben.training.registry import tracking

Say = Callable[[str], object]
LAST = STEPS[-1]


def tell(sentence: str) -> None:
    """Print a sentence as soon as it is known."""
    print(sentence, flush=True)


@dataclass
class Conductor:
    """One run of one model: it holds the lock, does steps, and notes what becomes of the run."""

    problem: ProblemConfig
    options: Options
    run: Run
    lock: RunLock
    say: Say

    def do(self, name: str, after: str | None, force: bool) -> tuple[StepRecord | None, Verdict | None]:
        """Do one step, or find that it is done; return its record, unless it was refused, and what stops the run."""
        self.lock.check()
        asked = engine.ask(name, self.problem, after, self.options, self.run.event)
        record = None if force else engine.find_done(asked, self.say)
        if record is None and name == "train" and not force and (refusal := find_refusal(self.problem)):
            self.run = self.run.end("stopped", refusal)
            return None, stop("budget", refusal)
        done = Done(record, True) if record else Done(engine.do(asked, self.say), False)
        self.run = self.run.add(done.record, done.reused)
        verdict = done.record.stopped_by
        self.say(f"{name} ({describe(done)}): {verdict.sentence if verdict else done.record.sentence}")
        self._note_end(done.record)
        return done.record, verdict

    def _note_end(self, record: StepRecord) -> None:
        if record.stopped_by:
            self.run = self.run.end("stopped", f"{record.stopped_by.gate}: {record.stopped_by.sentence}")
        elif record.step == LAST:
            changed = record.inputs["champion"] != record.version
            self.run = self.run.end("promoted" if changed else "nothing new", record.sentence)


def describe(done: Done) -> str:
    """Return whether a step was done, or when it had been."""
    return f"kept since {done.record.ended[:16].replace('T', ' ')}" if done.reused else "done"


@contextmanager
def conduct(
    problem: ProblemConfig, options: Options, after: str | None, event: dict[str, Any] | None, say: Say
) -> Iterator[Conductor]:
    """Yield what does the steps of a new run, or of the one that came as far as the key `after`.

    Raises RunBusy if another run of the model is on its way. However it ends, that is noted, and the lock given back.
    """
    check_writable()  # now rather than after an hour
    tracking.open_store(problem.name)
    run = (find_run(problem.name, after) if after else None) or begin_run(problem.name, redact_json(event))
    lock = RunLock(problem.name, run.id)
    lock.acquire()
    conductor = Conductor(problem, options, run, lock, say)
    with lock.beating():
        try:
            conductor.run = run.begin()
            yield conductor
        except BaseException as error:
            outcome: Outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            sentence = str(error) if isinstance(error, UserError) else type(error).__name__
            try:
                conductor.run = conductor.run.end(outcome, sentence)
            finally:  # the disk may be full, which the next run finds out by itself
                lock.release()
            raise
        if conductor.run.ended:
            lock.release()


def run_all(
    problem: ProblemConfig,
    options: Options,
    event: dict[str, Any] | None = None,
    force: str | None = None,
    say: Say = tell,
) -> tuple[StepRecord | None, Verdict | None]:
    """Do all steps until a gate stops the run; return the last one's record, and what stopped the run."""
    after: str | None = None
    with conduct(problem, options, None, event, say) as conductor:
        for name in STEPS:
            record, stopped_by = conductor.do(name, after, force == name)
            if record is None or stopped_by:
                break
            after = record.key
    return record, stopped_by
