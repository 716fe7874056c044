"""The commands of the pipeline: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ekiben.contract.errors import UserError
from ekiben.contract.report_output import add_format
from ekiben.pipeline.steps import STEPS
from ekiben.training.arguments import add_fit, add_problem

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    from ekiben.pipeline.step import Options

STOPPED = 3  # the exit code where a gate said no
FAILED = 1


def add_commands(commands: "Commands") -> None:
    """Add every command of this room."""
    command = _add_command(commands, "run", run, "run the pipeline: from a table to the champion, gate by gate")
    command.add_argument("--force", choices=STEPS, metavar="STEP", help="make this step again, whatever is kept")
    _add_event(command)
    add_fit(command)
    command.epilog = "The exit code is 3 if a gate stopped the run; the last line says why."

    command = _add_command(commands, "step", step, "run one step of the pipeline, for an orchestrator")
    command.add_argument("name", metavar="NAME", choices=STEPS, help=", ".join(STEPS))
    command.add_argument("--after", metavar="KEY", help="what the step before printed (not of `ingest`)")
    command.add_argument("--force", action="store_true", help="make it again, whatever is kept")
    _add_event(command)
    add_fit(command)
    command.epilog = "It prints one JSON object: key, verdict and sentence. The exit code is 3 if the verdict is stop."

    command = _add_command(commands, "runs", runs, "list the runs of the pipeline, the latest first")
    add_format(command, "text", "json")


def run(options: argparse.Namespace) -> int:
    """Run all steps; the last line says what became of it."""

    def do() -> int:
        from ekiben.pipeline.run import run_all
        from ekiben.training.problem import load_problem

        problem, chosen = load_problem(options.problem), _read_options(options)
        record, stopped_by = run_all(problem, chosen, _read_event(options.event, problem.name), options.force)
        if stopped_by:
            print(f"nothing is promoted: {stopped_by.gate}: {stopped_by.sentence}")
            return STOPPED
        print(record.sentence if record else "")
        return 0

    return _guard(do)


def step(options: argparse.Namespace) -> int:
    """Run one step and print what it came to as JSON; everything else goes to standard error."""

    def do() -> int:
        from ekiben.pipeline.run import conduct, tell
        from ekiben.training.problem import load_problem

        with contextlib.redirect_stdout(sys.stderr):
            problem, chosen = load_problem(options.problem), _read_options(options)
            event = _read_event(options.event, problem.name)
            with conduct(problem, chosen, options.after, event, tell) as conductor:
                record, stopped_by = conductor.do(options.name, options.after, options.force)
        sentence = stopped_by.sentence if stopped_by else record.sentence if record else ""
        said = {"key": record.key if record else "", "verdict": "stop" if stopped_by else "go", "sentence": sentence}
        print(json.dumps(said, ensure_ascii=False))
        return STOPPED if stopped_by else 0

    return _guard(do)


def runs(options: argparse.Namespace) -> int:
    """List the runs."""

    def do() -> int:
        from ekiben.pipeline.records.listing import list_as
        from ekiben.training.problem import load_problem

        print(list_as(options.format, load_problem(options.problem).name))
        return 0

    return _guard(do)


def _guard(do: Callable[[], int]) -> int:
    """Return the exit code; what went wrong is one sentence, and another code than a gate's no."""
    from ekiben.training.redaction import redact
    from ekiben.training.refusals import describe_refusal
    from ekiben.training.registry.store import as_user_error

    try:
        with as_user_error():
            return do()
    except UserError as error:
        sentence = str(error)
    except MemoryError:
        sentence = "there is not enough memory: use fewer rows with --rows, or a machine with more"
    except OSError as error:
        refusal = describe_refusal(error)
        if refusal is None:
            raise
        sentence = redact(refusal)
    sys.stdout.flush()
    print(f"error: {sentence}", file=sys.stderr)
    return FAILED


def _read_options(options: argparse.Namespace) -> "Options":
    from ekiben.pipeline.step import Options
    from ekiben.training.streaming.memory import find_budget

    find_budget(options.memory)  # too little of it is said before a run begins
    return Options(options.rows, options.epochs, options.seed, options.memory)


def _read_event(text: str | None, model: str) -> dict[str, Any] | None:
    """Return what started a run, as it was given; raise a UserError unless it is an event of this model."""
    from ekiben.pipeline.triggers.events.event import InvalidEvent, parse_event

    if text is None:
        return None
    try:
        event = json.loads(text)
        said = json.dumps({"model": model, "reason": "manual"} | event) if isinstance(event, dict) else ""
    except (ValueError, RecursionError):
        said = ""
    if not said:
        raise UserError('--event is not a JSON object, such as \'{"reason": "manual"}\'')
    found = parse_event(said.encode())
    if found.model != model:
        raise InvalidEvent(f"--event is of the model `{found.model}`, and the problem file of `{model}`: name another")
    return dict(event)


def _add_command(commands: "Commands", name: str, run: Callable[..., int], about: str) -> argparse.ArgumentParser:
    description = f"{about[0].upper()}{about[1:]}."
    command = commands.add_parser(name, help=about, description=description, allow_abbrev=False)
    command.set_defaults(run=run)
    add_problem(command)
    return command


def _add_event(command: argparse.ArgumentParser) -> None:
    command.add_argument("--event", metavar="JSON", help="what started the run: an object with reason and evidence")
