"""Acceptance criteria of a load test, and whether they were met."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One criterion, what was measured, and whether it was met."""

    criterion: str
    seen: str
    met: bool


def print_checks(checks: Sequence[Check]) -> int:
    """Print the criteria as a Markdown table; return the exit code: 1 if one was missed."""
    print("| criterion | measured | |")
    print("|---|---|---|")
    for check in checks:
        print(f"| {check.criterion} | {check.seen} | {'met' if check.met else '**missed**'} |")
    return int(not all(check.met for check in checks))
