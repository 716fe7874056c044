"""`ekiben explore`: its options."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.training.arguments import add_new_table, read_spelling

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXTRA = "notebook"  # of the package, which has what the command needs
EXPLORING = "look at a table in a notebook, which is written and run"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    command = commands.add_parser("explore", help=EXPLORING, description=f"{EXPLORING[0].upper()}{EXPLORING[1:]}.")
    command.set_defaults(run=run)
    command.add_argument("--target", help="the column to predict (default: none, and no model)")
    add_new_table(command)
    command.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="default: notebooks here, or in EKIBEN_HOME"
    )
    command.add_argument("--force", action="store_true", help="write over a notebook that is there")


def run(options: argparse.Namespace) -> None:
    """Write and run a notebook about a table."""
    from ekiben.training.exploring.explore import explore

    explore(
        options.table,
        options.target,
        query=options.query,
        spelling=read_spelling(options),
        time=options.time,
        output=options.output,
        force=options.force,
    )
