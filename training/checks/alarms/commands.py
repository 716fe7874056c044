"""`ekiben alarms`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
from typing import TYPE_CHECKING

from ekiben.contract.reference.alarms.setting import add_false_alarms
from ekiben.training.arguments import add_problem, day

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "try alarms on later days than they were learned from, as those are and with faults"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    command = commands.add_parser("alarms", help=ABOUT, description=description, allow_abbrev=False)
    add_problem(command)
    command.add_argument("--since", type=day, metavar="DATE", help="the first later day (default: of validation)")
    add_false_alarms(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the table of honest and faulty days."""
    from ekiben.training.checks.alarms.experiment import prepare_experiment, run_experiment
    from ekiben.training.problem import load_problem
    from ekiben.training.progress import show_progress
    from ekiben.training.tables.read import read_table

    problem = load_problem(options.problem)
    with show_progress("reading") as report:
        table = read_table(problem, report, lenient=False)
    for line in run_experiment(prepare_experiment(problem, table, options.since), options.false_alarms):
        print(line, flush=True)
