"""What came of a soak, and whether that is good enough."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ekiben.load_tests.criteria import Check, print_checks

WARM_UP_S = 60.0


@dataclass
class SoakResult:
    """What came of everything."""

    good: Counter[str] = field(default_factory=Counter)  # by protocol
    wrong: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)  # by protocol and status
    rejected: int = 0  # bad requests that got their 4xx
    missed: Counter[str] = field(default_factory=Counter)  # bad requests that got anything else
    dripped: int = 0
    left: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB

    @property
    def slope(self) -> float:
        """MiB a minute, by a line through the samples after the warm-up."""
        times, sizes = np.array(self.memory).T
        after = times >= min(WARM_UP_S, times[-1] / 2)
        return float(np.polyfit(times[after] / 60, sizes[after], 1)[0])


MAX_SLOPE = 1.0  # MiB a minute


def report(result: SoakResult, minutes: float) -> int:
    """Print what was seen; return 1 if a demand was missed."""
    checks = [
        Check(
            "no wrong answer", f"{result.good.total():,} right, {dict(result.wrong) or 'none wrong'}", not result.wrong
        ),
        Check("no 5xx, no lost answer", f"{dict(result.failed) or 'none'}", not result.failed),
        Check(
            "each bad request gets its 4xx",
            f"{result.rejected:,}, others: {dict(result.missed) or 'none'}",
            not result.missed,
        ),
        Check(
            "memory is flat",
            f"{result.slope:+.2f} MiB a minute, {result.memory[0][1]:.0f} → {result.memory[-1][1]:.0f} MiB",
            result.slope <= MAX_SLOPE,
        ),
    ]
    print(f"\n{minutes:g} minutes; also {result.dripped:,} dripping bodies and {result.left:,} callers who hung up\n")
    print("| right answers | |")
    print("|---|--:|")
    for name, count in result.good.items():
        print(f"| {name} | {count:,} |")
    print()
    return print_checks(checks)
