"""`ekiben score-live`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
from typing import TYPE_CHECKING

from ekiben.contract.report_output import add_report, check_output, write_report
from ekiben.training.arguments import add_labelled_log, add_problem

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "score a service's logged answers with the labels that have come"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    command = commands.add_parser("score-live", help=ABOUT, description=description, allow_abbrev=False)
    add_labelled_log(command)
    command.add_argument("--slice", action="append", metavar="FEATURE", help="repeatable (default: the problem file's)")
    add_report(command)
    add_problem(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print or write the report."""
    from ekiben.model.store import find_model, open_stored
    from ekiben.training.problem import load_problem
    from ekiben.training.truth.report import render
    from ekiben.training.truth.score import score_log

    check_output(options.output)
    problem = load_problem(options.problem)
    model = open_stored(find_model(problem.name))
    live = score_log(model, problem, options.folder, options.labels, options.query, options.by, options.slice)
    write_report(f"{render(live, options.format)}\n", options.output)
