"""The training commands: `python -m ekiben.training --help`."""

import argparse
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

# Before TensorFlow and MLflow are imported: their notes would bury ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# One value in training and serving: oneDNN's other order of additions changes the last bits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from ekiben.contract.errors import UserError
from ekiben.model.store import find_model, open_stored
from ekiben.training.problem import DEFAULT, ProblemConfig, load_problem
from ekiben.training.redaction import redact

BAD_INPUT = 2  # the exit code
SOME_REJECTED = 1  # predict's exit code where some rows have no prediction
BUG = 1  # as Python exits after a traceback
INTERRUPTED = 130
STOPPED = "interrupted: the champion is unchanged"
FORMULAS = (
    "A CSV file has the table's strings as they are, and a spreadsheet runs one that begins with =, +, - or @ as a "
    "formula: open a table of strangers' strings as Parquet, or import its columns as text"
)
READER_GONE = 141  # as of a process that SIGPIPE ended


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake is one sentence on standard error and exit code 2."""
    options = parse(arguments)
    command: Callable[[argparse.Namespace], int | None] = options.command
    try:
        return command(options) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # such as `predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed to nowhere
        return READER_GONE


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.training", description="A table → a model in the store.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _add_command(commands, init, "look at a table and write a problem file to edit")
    command.add_argument("table", help="a CSV or Parquet file, a folder of Parquet files, or an SQLAlchemy URL")
    command.add_argument("--target", required=True, help="the column to predict")
    command.add_argument("--query", help="the SQL query whose rows are the table, with a URL")
    command.add_argument("--time", help="the column by whose order to split (default: found out)")
    command.add_argument("--name", help="what to call the problem and its models (default: after the table)")
    command.add_argument("-o", "--output", type=Path, default=DEFAULT, help="default: %(default)s")
    command.add_argument("--force", action="store_true", help="write over a file that is there")

    command = _add_command(commands, train, "train, evaluate, register and, if it is the best so far, pack")
    _add_problem(command)
    command.add_argument("--if-missing", action="store_true", help="do nothing if the BentoML store has a model")
    command.add_argument("--seed", type=seed, default=0, help="same seed, same weights (default: %(default)s)")
    command.add_argument("--epochs", type=positive, help="passes over the rows, at most (default: by their number)")
    command.add_argument("--rows", type=positive, help="use about this many rows, for a quick try (default: all)")
    command.add_argument(
        "--accept-schema-change", action="store_true", help="train on a table unlike the champion's, on purpose"
    )

    command = _add_command(commands, predict, "score a table with the packed model, as the service would")
    command.add_argument("table", help="as for init")
    _add_problem(command)
    command.add_argument("--query", help="the SQL query whose rows are the table, with a URL")
    command.add_argument(
        "-o", "--output", type=Path,
        help=f".csv, .csv.gz or .parquet (default: standard output, as CSV). {FORMULAS}",
    )  # fmt: skip

    _add_problem(_add_command(commands, compare, "show the problem's runs, the best first"))

    command = _add_command(commands, promote, "make a registered version the champion and pack it")
    command.add_argument("version", help="as `compare` shows it")
    _add_problem(command)

    _add_problem(_add_command(commands, rollback, "make the champion before the present one the champion again"))
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


def init(options: argparse.Namespace) -> None:
    """Write a problem file for a table."""
    from ekiben.training.proposal import init as run

    run(
        options.table,
        options.target,
        query=options.query,
        name=options.name,
        time=options.time,
        output=options.output,
        force=options.force,
    )


def train(options: argparse.Namespace) -> None:
    """Train with the options given; TensorFlow is imported only here."""
    problem = load_problem(options.problem)
    if options.if_missing and is_stored(problem):
        return
    began = time.monotonic()
    print("loading TensorFlow …", flush=True)
    from ekiben.training.network.fit import FitOptions
    from ekiben.training.registry.store import as_user_error
    from ekiben.training.train import train as run

    with as_user_error():
        run(problem, FitOptions(seed=options.seed, epochs=options.epochs), options.rows, options.accept_schema_change)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(f"took {time.monotonic() - began:.0f} s and {peak_gb:.1f} GB at most")


def predict(options: argparse.Namespace) -> int:
    """Score a table; the exit code says whether every row got a prediction."""
    problem = load_problem(options.problem)
    model = open_stored(find_model(problem.name))
    from ekiben.training.predict import predict as run
    from ekiben.training.sources import find_source

    summary = run(model, find_source(options.table, options.query), options.output)
    print(summary, file=sys.stderr)
    return SOME_REJECTED if summary.rejected else 0


def compare(options: argparse.Namespace) -> None:
    """Show the problem's runs."""
    problem = load_problem(options.problem)
    from ekiben.training.registry import tracking
    from ekiben.training.registry.compare import compare as run
    from ekiben.training.registry.compare import format_runs

    with tracking.existing_store():
        print(format_runs(run(problem)))


def promote(options: argparse.Namespace) -> None:
    """Make a version the champion."""
    problem = load_problem(options.problem)
    from ekiben.training.registry import champion, tracking

    with tracking.existing_store():
        champion.promote(problem.name, options.version)


def rollback(options: argparse.Namespace) -> None:
    """Make the former champion the champion again."""
    problem = load_problem(options.problem)
    from ekiben.training.registry import champion, tracking

    with tracking.existing_store():
        champion.roll_back(problem.name)


def is_stored(problem: ProblemConfig) -> bool:
    """Return whether the BentoML store already has a model of this problem."""
    try:
        find_model(problem.name)
    except UserError:
        return False
    return True


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", run: Callable[..., object], about: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(run.__name__, help=about, description=about[0].upper() + about[1:] + ".")
    command.set_defaults(command=run)
    return command


def _add_problem(command: argparse.ArgumentParser) -> None:
    fallback = f"default: {DEFAULT} if it is there, else NYC flights"
    command.add_argument("--problem", type=Path, help=f"the problem file ({fallback})")


def run_process() -> int:
    """Run the command of this process; an interrupt stays one, whatever TensorFlow makes of it on its way up."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        return main()
    except Exception:
        if not interrupts:
            print(redact(traceback.format_exc(), *(given for given in sys.argv if "://" in given)), file=sys.stderr)
            return BUG
        print(STOPPED, file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run_process())
