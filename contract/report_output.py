"""Where a command's report goes and in which form: the options, and the writing."""

import argparse
import os
import sys
from pathlib import Path

from ekiben.contract.errors import UserError


def add_format(command: argparse.ArgumentParser, *formats: str) -> None:
    """Let a command take one of these forms, by default the first."""
    command.add_argument("--format", choices=formats, default=formats[0], help="(default: %(default)s)")


def add_report(command: argparse.ArgumentParser) -> None:
    """Let a command take the form of its report, and the file that it goes to."""
    add_format(command, "text", "html", "json")
    command.add_argument("-o", "--output", type=Path, help="write the report to this file (default: print it)")


def write_report(report: str, output: Path | None) -> None:
    """Print a report, or write it to a file; raise UserError if that can't be done."""
    if output is None:
        sys.stdout.write(report)
        return
    try:
        output.write_text(report, encoding="utf-8")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UserError(f"{output} can't be written ({reason}): name another file") from None
