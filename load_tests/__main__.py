"""How much the service carries: `python -m ekiben.load_tests COMMAND`; `ekiben --help` names the commands, too."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from ekiben.load_tests.commands import STOPPED, add_commands
from ekiben.training import process


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the load tests; return 1 if what it demands was missed."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.load_tests", description="How much the service carries.")
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    return process.report_errors(partial(options.run, options), STOPPED)


if __name__ == "__main__":
    sys.exit(main())
