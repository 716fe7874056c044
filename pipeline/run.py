"""A whole run in one process: `ekiben run`."""

from collections.abc import Callable
from typing import Any

from ekiben.pipeline import engine
from ekiben.pipeline.engine import STEPS, Done
from ekiben.pipeline.step import Options
from ekiben.training.problem import ProblemConfig


def run_step(
    name: str,
    problem: ProblemConfig,
    after: str | None,
    options: Options,
    event: dict[str, Any] | None,
    force: bool,
    say: Callable[[str], None],
) -> Done:
    """Do one step, or find that it is done."""
    asked = engine.ask(name, problem, after, options, event)
    record = None if force else engine.find_done(asked, say)
    done = Done(record, True) if record else Done(engine.do(asked, say), False)
    state = f"as it was made {done.record.ended[:16]}" if done.reused else "done"
    say(f"{name} ({state}): {done.record.stop.sentence if done.record.stop else done.record.sentence}")
    return done


def run(
    problem: ProblemConfig,
    options: Options,
    event: dict[str, Any] | None = None,
    force: str | None = None,
    say: Callable[[str], None] = print,
) -> engine.StepRecord:
    """Do all steps until a gate stops the run; return the last one's record."""
    after: str | None = None
    for name in STEPS:
        record = run_step(name, problem, after, options, event, force == name, say).record
        if record.stop:
            break
        after = record.key
    return record
