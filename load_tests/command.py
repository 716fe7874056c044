"""How the command of a load test is added to the others."""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ekiben.load_tests.arguments import PORT, count, port

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(
    commands: "Commands", name: str, run: Callable[[argparse.Namespace], int], about: str
) -> argparse.ArgumentParser:
    """Add a command."""
    parser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.set_defaults(run=partial(run_here, run))
    return parser


def run_here(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a load test on the model of this folder's problem, as `ekiben serve` does; without one, on the store's."""
    from ekiben.training.home import find_problem_file
    from ekiben.training.problem import choose_model

    if find_problem_file().exists():
        os.environ["MODEL_NAME"] = choose_model(None)
    return run(options)


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add where the service that is started here listens."""
    parser.add_argument("--port", type=port, default=PORT, help="of the service that is started here (%(default)s)")


def add_rounds(parser: argparse.ArgumentParser) -> None:
    """Add how long and how often a comparison measures."""
    parser.add_argument("--seconds", type=count, default=4, help="length of one measurement (%(default)s)")
    parser.add_argument("--rounds", type=count, default=3, help="measurements of each load (%(default)s)")
