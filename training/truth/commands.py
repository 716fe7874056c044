"""`ekiben score-live`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.training.arguments import LABEL_TABLE

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "score a service's logged answers with the labels that have come"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    command = commands.add_parser("score-live", help=ABOUT, description=description, allow_abbrev=False)
    command.add_argument("folder", metavar="LOG_FOLDER", help="where the service logs to, or an object store's URL")
    command.add_argument("--labels", metavar="TABLE", help=LABEL_TABLE)
    command.add_argument("--query", help="the SQL query whose rows are the labels, with a URL")
    command.add_argument("--by", choices=("week", "day"), default="week", help="UTC (default: %(default)s)")
    command.add_argument("--slice", action="append", metavar="FEATURE", help="repeatable (default: the problem file's)")
    command.add_argument("--format", choices=("text", "html", "json"), default="text", help="(default: %(default)s)")
    command.add_argument("-o", "--output", type=Path, help="write the report to this file (default: print it)")
    command.add_argument("--problem", type=Path, help="the problem file (default: problem.toml, else NYC flights)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print or write the report."""
    from ekiben.contract.errors import UserError
    from ekiben.model.store import find_model, open_stored
    from ekiben.training.problem import load_problem
    from ekiben.training.truth.report import render
    from ekiben.training.truth.score import score_log

    problem = load_problem(options.problem)
    model = open_stored(find_model(problem.name))
    live = score_log(model, problem, options.folder, options.labels, options.query, options.by, options.slice)
    rendered = render(live, options.format) + "\n"
    if options.output is None:
        sys.stdout.write(rendered)
        return
    try:
        options.output.write_text(rendered, encoding="utf-8")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UserError(f"{options.output} can't be written ({reason}): name another file") from None
