"""The commands that watch services: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.reference.alarms.setting import add_false_alarms

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ALARM = 3  # the exit code


def add_commands(commands: "Commands") -> None:
    """Add every command of this room."""
    about = "compare what services saw with what training saw"
    description = f"{about[0].upper()}{about[1:]}."
    drift = commands.add_parser("drift", help=about, description=description, allow_abbrev=False)
    drift.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a service's URL, or a file saved from its /monitoring"
    )
    drift.add_argument("--format", choices=("text", "html", "json"), default="text", help="(default: %(default)s)")
    drift.add_argument("-o", "--output", type=Path, help="write the report to this file (default: print it)")
    drift.add_argument(
        "--reference", type=Path, help="the model's reference.json (default: a named service's, or the BentoML store's)"
    )
    add_false_alarms(drift)
    drift.epilog = "AUTH_TOKEN is sent to services, if it is set. The exit code is 3 if there is an alarm."
    drift.set_defaults(run=run_drift)


def run_drift(options: argparse.Namespace) -> int:
    """Print or write the report; the exit code says whether there is an alarm."""
    from ekiben.contract.errors import UserError
    from ekiben.monitoring.drift import compare_sources, judge_sources, render

    report = compare_sources(options.sources, options.reference)
    alarms = judge_sources(options.sources, options.reference, options.false_alarms)
    rendered = render(report, alarms, options.format) + "\n"
    code = ALARM if alarms.alarms else 0
    if options.output is None:
        sys.stdout.write(rendered)
        return code
    try:
        options.output.write_text(rendered, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{options.output} can't be written ({os.strerror(error.errno or 0)}): name another file"
        ) from None
    return code
