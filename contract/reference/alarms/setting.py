"""The one setting of alarms, and how commands read it."""

import argparse
import math

FALSE_ALARMS = 1.0  # a month, that are put up with


def add_false_alarms(command: argparse.ArgumentParser) -> None:
    """Let a command take the setting."""
    about = "false alarms a month that are put up with (default: %(default)g)"
    command.add_argument("--false-alarms", type=_read_rate, default=FALSE_ALARMS, metavar="NUMBER", help=about)


def _read_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number from 0 on, got {text!r}")
    return rate
