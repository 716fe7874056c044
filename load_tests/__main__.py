"""How much the service carries: `python -m ekiben.load_tests COMMAND`; `ekiben --help` names the commands, too."""

import argparse
import sys
from collections.abc import Sequence

from ekiben.contract.errors import UserError
from ekiben.load_tests.commands import add_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the load tests; return 1 if what it demands was missed."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.load_tests", description="How much the service carries.")
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
