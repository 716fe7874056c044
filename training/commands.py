"""The training commands: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.training.arguments import (
    add_fit,
    add_labels,
    add_new_table,
    add_problem,
    add_spelling,
    add_table,
    add_version,
    read_spelling,
    top,
)

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

SOME_REJECTED = 1  # predict's exit code where some rows have no prediction
FORMULAS = (
    "A CSV file has the table's strings as they are, and a spreadsheet runs one that begins with =, +, - or @ as a "
    "formula: open a table of strangers' strings as Parquet, or import its columns as text"
)


def add_commands(commands: "Commands") -> None:
    """Add every training command."""
    add_building(commands)
    add_choosing(commands)
    add_scoring(commands)


def add_building(commands: "Commands") -> None:
    """Add the commands that make a model of a table."""
    command = _add_command(commands, init, "look at a table and write a problem file to edit")
    command.add_argument("--target", required=True, help="the column to predict")
    add_new_table(command)
    command.add_argument("--name", help="what to call the problem and its models (default: after the table)")
    command.add_argument("-o", "--output", type=Path, help="default: problem.toml here, or in EKIBEN_HOME")
    command.add_argument("--force", action="store_true", help="write over a file that is there")

    command = _add_command(commands, train, "train, evaluate, register and, if it is the best so far, pack")
    add_problem(command)
    command.add_argument("--if-missing", action="store_true", help="do nothing if the BentoML store has a model")
    add_fit(command)
    command.add_argument("--table", metavar="DIGEST", help="train on a table that was kept, as `data list` shows them")
    command.add_argument("--keep-table", action="store_true", help="keep the table, for --table")
    command.add_argument("--from-log", metavar="FOLDER", help="train on the labelled rows of a service's row log")
    command.add_argument("--from-provenance", type=Path, metavar="FILE", help="repeat what a provenance.json says")
    add_labels(command, "of --from-log: ")
    command.add_argument("--force", action="store_true", help="with --from-log: train on days with alarms, too")
    command.add_argument(
        "--accept-schema-change", action="store_true", help="train on a table unlike the champion's, on purpose"
    )


def add_choosing(commands: "Commands") -> None:
    """Add the commands that choose one of the models."""
    add_problem(_add_command(commands, compare, "show the problem's runs, the best first"))
    command = _add_command(commands, promote, "make a registered version the champion and pack it")
    add_version(command)
    add_problem(command)
    add_problem(_add_command(commands, rollback, "make the champion before the present one the champion again"))


def add_scoring(commands: "Commands") -> None:
    """Add the command that scores a table."""
    command = _add_command(commands, predict, "score a table with the packed model, as the service would")
    add_table(command)
    add_problem(command)
    add_spelling(command, "default: as in the problem file where that fits, else found out")
    command.add_argument(
        "-o", "--output", type=Path,
        help=f".csv, .csv.gz or .parquet (default: standard output, as CSV). {FORMULAS}",
    )  # fmt: skip

    about = "add what each feature does to the answer, or of each row the N largest effects (milliseconds a row)"
    command.add_argument(
        "--threshold", metavar="P",
        help="from which probability on a row is decided for the class, from 0 to 1 (default: the model's own)",
    )  # fmt: skip
    command.add_argument("--explain", nargs="?", type=top, const=sys.maxsize, metavar="N", help=about)


def init(options: argparse.Namespace) -> None:
    """Write a problem file for a table."""
    from ekiben.training.proposal import init as run

    run(
        options.table,
        options.target,
        query=options.query,
        spelling=read_spelling(options),
        name=options.name,
        time=options.time,
        output=options.output,
        force=options.force,
    )


def train(options: argparse.Namespace) -> int | None:
    """Train with the options given."""
    from ekiben.training.train_command import run

    return run(options)


def predict(options: argparse.Namespace) -> int:
    """Score a table; the exit code says whether every row got a prediction."""
    from ekiben.contract.threshold import read_threshold
    from ekiben.model.store import find_model, open_stored
    from ekiben.training.predict import predict as run
    from ekiben.training.problem import load_problem
    from ekiben.training.sources.similar import describe_difference, find_similar_source

    problem = load_problem(options.problem)
    model = open_stored(find_model(problem.name))
    threshold = None if options.threshold is None else read_threshold(options.threshold)
    spelling = read_spelling(options)
    source = find_similar_source(problem.source, options.table, options.query, spelling)
    if difference := describe_difference(problem.source, source, spelling):
        print(f"note: {difference}", file=sys.stderr)
    summary = run(model, source, options.output, spelling, options.explain, threshold)
    print(summary, file=sys.stderr)
    return SOME_REJECTED if summary.rejected else 0


def compare(options: argparse.Namespace) -> None:
    """Show the problem's runs."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.training.registry import tracking
    from ekiben.training.registry.compare import compare as run
    from ekiben.training.registry.compare import format_runs

    with tracking.existing_store(changing=False):
        print(format_runs(run(problem)))


def promote(options: argparse.Namespace) -> None:
    """Make a version the champion."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.training.registry import champion, tracking

    with tracking.existing_store():
        champion.promote(problem.name, options.version)


def rollback(options: argparse.Namespace) -> None:
    """Make the former champion the champion again."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.training.registry import champion, tracking

    with tracking.existing_store():
        champion.roll_back(problem.name)


def _add_command(commands: "Commands", run: Callable[..., object], about: str) -> argparse.ArgumentParser:
    command = commands.add_parser(run.__name__, help=about, description=about[0].upper() + about[1:] + ".")
    command.set_defaults(run=run)
    return command
