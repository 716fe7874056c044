"""Where a command's report goes and in which form: the options, a check before the work, and the writing."""

import argparse
import errno
import os
import sys
from pathlib import Path

from ekiben.contract.errors import UserError

INSTEAD = "name another file"


def add_format(command: argparse.ArgumentParser, *formats: str) -> None:
    """Let a command take one of these forms, by default the first."""
    command.add_argument("--format", choices=formats, default=formats[0], help="(default: %(default)s)")


def add_report(command: argparse.ArgumentParser) -> None:
    """Let a command take the form of its report, and the file that it goes to."""
    add_format(command, "text", "html", "json")
    command.add_argument("-o", "--output", type=Path, help="write the report to this file (default: print it)")


def check_output(output: Path | None, instead: str = INSTEAD) -> None:
    """Raise UserError if a report could not be written there: now rather than after what it takes to make it."""
    if output is None:
        return
    try:
        reason = _find_obstacle(output)
    except OSError as error:  # such as a name that is too long
        reason = os.strerror(error.errno or 0)
    if reason:
        raise _unwritable(output, reason, instead)


def write_report(report: str, output: Path | None) -> None:
    """Print a report, or write it to a file; raise UserError if that can't be done."""
    if output is None:
        sys.stdout.write(report)
        return
    try:
        output.write_text(report, encoding="utf-8")
    except OSError as error:
        raise _unwritable(output, os.strerror(error.errno or 0)) from None


def _find_obstacle(output: Path) -> str:
    if not output.parent.is_dir():
        return f"there is no folder {output.parent}"
    if output.is_dir():
        return os.strerror(errno.EISDIR)
    writable = os.access(output if output.exists() else output.parent, os.W_OK)
    return "" if writable else os.strerror(errno.EACCES)


def _unwritable(output: Path, reason: str, instead: str = INSTEAD) -> UserError:
    return UserError(f"{output} can't be written ({reason}): {instead}")
