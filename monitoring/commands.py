"""The commands that watch services: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.reference.alarms.setting import add_false_alarms
from ekiben.contract.report_output import add_report, check_output, write_report

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ALARM = 3  # the exit code
DECISIONS = {"better": 0, "worse": 3, "no evidence yet": 4}  # the exit codes of a comparison


def add_commands(commands: "Commands") -> None:
    """Add every command of this room."""
    add_drift(commands)
    add_challenger(commands)


def add_drift(commands: "Commands") -> None:
    """Add the command that looks at one model."""
    about = "compare what services saw with what training saw"
    description = f"{about[0].upper()}{about[1:]}."
    drift = commands.add_parser("drift", help=about, description=description, allow_abbrev=False)
    drift.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a service's URL, or a file saved from its /monitoring"
    )
    add_report(drift)
    drift.add_argument(
        "--reference", type=Path, help="the model's reference.json (default: a named service's, or the BentoML store's)"
    )
    add_false_alarms(drift)
    drift.epilog = "AUTH_TOKEN is sent to services, if it is set. The exit code is 3 if there is an alarm."
    drift.set_defaults(run=run_drift)


def run_drift(options: argparse.Namespace) -> int:
    """Print or write the report; the exit code says whether there is an alarm."""
    from ekiben.monitoring.drift import compare_sources, judge_sources, render

    check_output(options.output)
    report = compare_sources(options.sources, options.reference)
    alarms = judge_sources(options.sources, options.reference, options.false_alarms)
    write_report(f"{render(report, alarms, options.format)}\n", options.output)
    return ALARM if alarms.alarms else 0


def add_challenger(commands: "Commands") -> None:
    """Add the command that looks at two."""
    about = "compare what a champion and its challenger answered to the same rows"
    description = f"{about[0].upper()}{about[1:]}."
    challenger = commands.add_parser("challenger", help=about, description=description, allow_abbrev=False)
    challenger.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a service's URL, or a file saved from its /monitoring/challenger"
    )
    add_report(challenger)
    challenger.epilog = (
        "AUTH_TOKEN is sent to services, if it is set. The exit code is 0 if the challenger is better, 3 if it is "
        "worse, and 4 if there is no evidence yet."
    )
    challenger.set_defaults(run=run_challenger)


def run_challenger(options: argparse.Namespace) -> int:
    """Print or write the comparison; the exit code says what it decides."""
    from ekiben.monitoring.comparison import judge_sources, render

    check_output(options.output)
    judgement = judge_sources(options.sources)
    write_report(f"{render(judgement, options.format)}\n", options.output)
    return DECISIONS[judgement.decision]
