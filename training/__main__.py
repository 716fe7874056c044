"""The training commands alone: `python -m ekiben.training --help`; `ekiben --help` has all of them."""

import argparse
import sys
from functools import partial

from ekiben.training import process
from ekiben.training.checks.alarms import commands as alarms
from ekiben.training.commands import add_commands
from ekiben.training.truth import commands as truth


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = parse(arguments)
    return process.report_errors(partial(options.run, options))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.training", description="A table → a model in the store.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_commands, truth.add_commands, alarms.add_commands):
        add(commands)
    return parser.parse_args(arguments)


def run_process() -> int:
    """Run the command of this process."""
    process.prepare_environment()
    return process.run_process(main, sys.argv)


if __name__ == "__main__":
    sys.exit(run_process())
