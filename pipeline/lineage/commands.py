"""`ekiben lineage`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "trace an answer, a version, a run or an image to its rows, and verify each step"
BROKEN = 3  # the exit code


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    command = commands.add_parser("lineage", help=ABOUT, description=f"{ABOUT[0].upper()}{ABOUT[1:]}.")
    command.add_argument("what", metavar="WHAT", help="an answer's X-Prediction-Id, a version, a run's id, or an image")
    command.add_argument(
        "--as", dest="kind", choices=("answer", "version", "run", "image"), help="(default: by what it looks like)"
    )
    command.add_argument("--log", metavar="FOLDER", help="where answers are logged (default: LOG_FOLDER, or data/log)")
    command.add_argument("--format", choices=("text", "json"), default="text", help="(default: %(default)s)")
    command.add_argument("--problem", type=Path, help="the problem file (default: problem.toml, else NYC flights)")
    command.epilog = "The exit code is 3 if a step is broken."
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the chain; the exit code says whether it holds."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.pipeline.lineage.report import FORMATS
    from ekiben.pipeline.lineage.trace import Asked, trace
    from ekiben.training.registry import tracking

    with tracking.existing_store(changing=False):
        link = trace(Asked(options.what, problem.name, options.kind, options.log))
    sys.stdout.write(FORMATS[options.format](link) + "\n")
    return BROKEN if any(one.faults for one in link.walk()) else 0
