"""Does one step, unless there is a record of just that, whose outputs are as they were."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, cast

from ekiben.contract.errors import UserError
from ekiben.pipeline.records.code_digest import digest_code
from ekiben.pipeline.records.configuration import describe_problem
from ekiben.pipeline.records.differences import find_differences
from ekiben.pipeline.records.environment import describe_machine, digest_lock
from ekiben.pipeline.records.keeping import (
    DamagedRecord,
    NoSuchRecord,
    check_outputs,
    digest_folder,
    keep_record,
    read_record,
    unfinished_folder,
)
from ekiben.pipeline.records.record import StepRecord, make_key, now
from ekiben.pipeline.step import Given, Options, Step, describe_options
from ekiben.pipeline.steps import STEPS
from ekiben.pipeline.steps.room import open_step_room
from ekiben.training.digests import digest_json
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_json


class WrongStep(UserError):
    """A step can't follow the one that is named."""


@dataclass(frozen=True)
class Done:
    """A step's record, and whether it was there already."""

    record: StepRecord
    reused: bool


@dataclass(frozen=True)
class Asked:
    """A step that is to be done: what decides what it makes."""

    name: str
    step: Step
    given: Given
    after: str | None
    record: StepRecord  # as far as it is known before

    @property
    def key(self) -> str:
        return self.record.key


def walk_back(after: str | None) -> dict[str, StepRecord]:
    """Return the records from a key back to the first step's, by their steps; raise a UserError if one is gone."""
    before: dict[str, StepRecord] = {}
    while after:
        record = read_record(after)
        if record.step in before:
            raise WrongStep(f"the record {after[:12]} leads back to itself: run `ingest` again")
        before[record.step], after = record, record.after
    return before


def ask(
    name: str, problem: ProblemConfig, after: str | None, options: Options, event: dict[str, Any] | None = None
) -> Asked:
    """Return what decides a step that follows the one of the key `after`; raise WrongStep if it can't."""
    before = walk_back(after)
    _check_order(name, list(reversed(before)))
    _check_problem(problem, before)
    _check_before(before)
    step = cast(Step, import_module(f"ekiben.pipeline.steps.{name}"))
    given = Given(problem, before, options)
    inputs = {built_on: digest_outcome(before[built_on]) for built_on in step.BUILDS_ON} | step.find_inputs(given)
    code, lock = digest_code(f"ekiben.pipeline.steps.{name}"), digest_lock()
    configuration, chosen = describe_problem(problem, step.GATED), describe_options(options, step.OPTIONS)
    record = StepRecord(
        step=name, key=make_key(name, code, lock, configuration, chosen, inputs), after=after,
        event=redact_json(event) if name == STEPS[0] else None, began=now(), ended="", code=code, lock=lock,
        machine=describe_machine(), configuration=configuration, options=chosen, inputs=inputs, outputs={},
    )  # fmt: skip
    return Asked(name, step, given, after, record)


def find_done(asked: Asked, say: Callable[[str], object]) -> StepRecord | None:
    """Return the record of what is asked for, if it let the run go on, and all that was made is still there.

    A gate that said stop is asked again: time, or the world outside, may have changed.
    """
    try:
        record = read_record(asked.key)
        check_outputs(record)
        asked.step.check(asked.given, record)
    except NoSuchRecord:
        return None
    except UserError as error:
        say(f"note: {error}: `{asked.name}` is made again")
        return None
    if record.stopped_by:
        return None
    if record.machine != asked.record.machine:
        say(f"note: `{asked.name}` was made on another machine, {record.machine}; this is {asked.record.machine}")
    return record if record.after == asked.after else keep_record(record.model_copy(update={"after": asked.after}))


def do(asked: Asked, say: Callable[[str], object]) -> StepRecord:
    """Do a step and keep its record; raise what stops it from being done."""
    for difference in find_differences(asked.record):
        say(f"note: {difference}")
    with unfinished_folder() as folder, open_step_room(replace(asked.given, folder=folder)) as given:
        made = asked.step.run(given)
        update = {
            "ended": now(), "outputs": {**digest_folder(folder), **made.outputs}, "verdicts": made.verdicts,
            "sentence": made.sentence, "mlflow_run": made.mlflow_run, "version": made.version,
        }  # fmt: skip
        return keep_record(asked.record.model_copy(update=update), folder)


def digest_outcome(record: StepRecord) -> str:
    """Return the digest of what a step came to: the same outputs are the same input, however they were made."""
    return digest_json({"outputs": record.outputs, "run": record.mlflow_run, "version": record.version})


def _check_order(name: str, before: list[str]) -> None:
    wanted = STEPS[: STEPS.index(name)]
    if before == list(wanted):
        return
    if not wanted:
        raise WrongStep("`ingest` is the first step: leave --after out")
    found = f"that is the key of `{before[-1]}`" if before else "none is given"
    raise WrongStep(f"`{name}` needs --after with the key that `{wanted[-1]}` printed: {found}")


def _check_problem(problem: ProblemConfig, before: dict[str, StepRecord]) -> None:
    first = before.get(STEPS[0])
    if first is not None and first.configuration != describe_problem(problem, gated=False):
        changed = "the problem file was changed since `ingest`, or is another one"
        raise WrongStep(f"{changed}: run from `ingest` again, or name the problem file with --problem")


def _check_before(before: dict[str, StepRecord]) -> None:
    for record in before.values():
        try:
            check_outputs(record)
        except DamagedRecord as error:
            raise WrongStep(f"{error}: run `{record.step}` again") from None
        if record.stopped_by:
            raise WrongStep(f"`{record.step}` stopped this run: {record.stopped_by.sentence}")
