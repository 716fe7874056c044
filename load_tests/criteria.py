"""What a run must show, and whether it did."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One demand, what was seen, and whether that is good enough."""

    criterion: str
    seen: str
    met: bool


def print_checks(checks: Sequence[Check]) -> int:
    """Print demands as a Markdown table; return the exit code: 1 if one was missed."""
    print("| criterion | measured | |")
    print("|---|---|---|")
    for check in checks:
        print(f"| {check.criterion} | {check.seen} | {'met' if check.met else '**missed**'} |")
    return int(not all(check.met for check in checks))
