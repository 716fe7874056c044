"""The commands about versions that take each other's place; what is heavy is imported only as they run."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.load_tests.arguments import count, positive
from ekiben.load_tests.command import add, add_port

if TYPE_CHECKING:
    from ekiben.load_tests.command import Commands


def add_commands(commands: "Commands") -> None:
    """Add them."""
    reloads = add(commands, "reloads", run_reloads, "let versions take each other's place under load, again and again")
    add_port(reloads)
    reloads.add_argument("--reloads", type=count, default=1000, help="how many (%(default)s)")
    reloads.add_argument("--seconds", type=positive, default=15.0, help="of load before and after (%(default)s)")
    add(commands, "loading", run_loading, "measure what loading a version costs the requests beside it")


def run_reloads(options: argparse.Namespace) -> int:
    """Reload a service that is started here."""
    from ekiben.load_tests.reloads import run as reloads

    with tempfile.TemporaryDirectory() as folder:
        return reloads.run(options.port, options.reloads, options.seconds, Path(folder))


def run_loading(_: argparse.Namespace) -> int:
    """Load versions beside one that serves, in this process."""
    from ekiben.load_tests.reloads import stalls

    return stalls.run()
