"""`ekiben report`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.report_output import check_output
from ekiben.training.arguments import add_problem
from ekiben.training.network.interrupts import deferred_interrupts

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "make the report of the packed model again, and add a learning curve"
CURVE = "fit four networks to parts of the rows, to see whether more would help: some 1.4 times as long as training"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    command = commands.add_parser("report", help=ABOUT, description=description, allow_abbrev=False)
    command.add_argument("--learning-curve", action="store_true", help=CURVE)
    command.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="(default: %(default)s)")
    add_problem(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the report, and log it with the model's run."""
    from ekiben.training.problem import load_problem
    from ekiben.training.report.origin import find_origin

    check_output(options.output)
    origin = find_origin(load_problem(options.problem).name)
    print("loading TensorFlow …", flush=True)
    with deferred_interrupts():
        from ekiben.training.report.remaking import remake

    remake(origin, options.output, options.learning_curve)
