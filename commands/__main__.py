"""The command `ekiben`, also as `python -m ekiben.commands`; `--help` shows what it can do."""

import argparse
import sys
from functools import partial

from ekiben.commands.extras import as_missing_extra
from ekiben.commands.parser import build_parser
from ekiben.training import process


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parse(arguments)
    with_extra = partial(as_missing_extra, options.extra, partial(options.run, options))
    return process.report_errors(with_extra, options.stopped)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; only `serve` takes options that are not its own: they are `bentoml serve`'s."""
    parser = build_parser()
    options, others = parser.parse_known_args(arguments)
    if others and "passed_on" not in options:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    options.passed_on = others
    return options


def run_process() -> int:
    """Run the command of this process."""
    process.prepare_environment()
    return process.run_process(main, sys.argv)


if __name__ == "__main__":
    sys.exit(run_process())
