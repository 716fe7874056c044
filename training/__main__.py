"""The training commands: `python -m training train --help`."""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

# Before TensorFlow and MLflow are imported: their notes would bury ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# One value in training and serving: oneDNN's other order of additions changes the last bits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from contract.errors import UserError
from service.model import find_model
from training.problem import BUILT_IN, Problem, read_problem

BAD_INPUT = 2  # the exit code


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake is one sentence on standard error and exit code 2."""
    options = parse(arguments)
    try:
        problem = read_problem(options.problem)
        if not (options.if_missing and is_stored(problem)):
            train(problem, options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: nothing was registered", file=sys.stderr)
        return 130
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training", description="A table → a model in the store.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("train", help="train, evaluate, register and, if it is the best so far, pack")
    command.add_argument("--problem", type=Path, default=BUILT_IN, help="the problem file (default: NYC flights)")
    command.add_argument("--if-missing", action="store_true", help="do nothing if the BentoML store has a model")
    command.add_argument("--seed", type=seed, default=0, help="same seed, same weights (default: %(default)s)")
    command.add_argument("--epochs", type=positive, default=4, help="passes over the rows (default: %(default)s)")
    command.add_argument("--rows", type=positive, help="use about this many rows, for a quick try (default: all)")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def seed(text: str) -> int:
    """Read a seed that NumPy takes."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {2**32 - 1}, got {text}")
    return number


def is_stored(problem: Problem) -> bool:
    """Return whether the BentoML store already has a model of this problem."""
    try:
        find_model(problem.name)
    except UserError:
        return False
    return True


def train(problem: Problem, options: argparse.Namespace) -> None:
    """Train with the options given; TensorFlow is imported only here."""
    began = time.monotonic()
    print("loading TensorFlow …", flush=True)
    from training.fit import Recipe
    from training.train import train as run

    run(problem, Recipe(seed=options.seed, epochs=options.epochs), options.rows)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(f"took {time.monotonic() - began:.0f} s and {peak_gb:.1f} GB at most")


if __name__ == "__main__":
    sys.exit(main())
