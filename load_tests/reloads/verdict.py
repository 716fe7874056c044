"""What came of many reloads, and whether that is good enough."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ekiben.load_tests.criteria import Check, print_checks
from ekiben.load_tests.reloads.callers import Answered

WINDOW_S = 1.0  # of which p99 is looked at
MAX_P99 = 2.0  # times what it was before, during the reloads; but for windows
MAX_GROWTH = 1.05  # of the resident memory
SAME = 0.8  # of what was is as before: requests of the same kind differ by so much with the batches they are in
WARM = 20  # reloads after which memory is first looked at: malloc and caches have what they need


@dataclass
class Reloads:
    """The load's phases, and what came of each reload."""

    answered: Answered
    began: float = 0.0
    first_reload: float = 0.0
    last_reload: float = 0.0
    ended: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of each reload
    failed: Counter[str] = field(default_factory=Counter)
    memory_mib: list[float] = field(default_factory=list)  # after each reload
    cpu_s: list[float] = field(default_factory=list)  # the service's, at each of the four moments

    def take_reload(self, seconds: float, status: int, answer: bytes) -> None:
        """Count one."""
        self.seconds.append(seconds)
        if status != 200:
            self.failed[f"{status} {answer[:200].decode('latin-1')}"] += 1


@dataclass(frozen=True)
class Phase:
    """What callers got in one phase."""

    requests_per_s: float
    cpu_us: float  # of the service, a request
    p99_ms: float
    worst_window_ms: float  # the largest p99 of WINDOW_S
    windows_over: int  # whose p99 was more than a bound
    windows: int


def measure_phase(answered: Answered, begins: float, ends: float, cpu_s: float, bound_ms: float = np.inf) -> Phase:
    """Return what came of the answers between two moments, in which the service used that much CPU time."""
    times, latencies_ms = np.array(answered.times), 1000 * np.array(answered.latencies_s)
    inside = (times >= begins) & (times < ends)
    p99s = np.array(window_p99s(times[inside] - begins, latencies_ms[inside]))
    return Phase(
        float(inside.sum() / (ends - begins)),
        1e6 * cpu_s / max(int(inside.sum()), 1),
        float(np.quantile(latencies_ms[inside], 0.99)) if inside.any() else np.inf,
        float(p99s.max(initial=0.0)),
        int((p99s > bound_ms).sum()),
        len(p99s),
    )


def window_p99s(times_s: NDArray[np.float64], latencies_ms: NDArray[np.float64]) -> list[float]:
    """Return the p99 of each WINDOW_S in which there was an answer."""
    windows = (times_s / WINDOW_S).astype(int)
    return [float(np.quantile(latencies_ms[windows == window], 0.99)) for window in np.unique(windows)]


def report(done: Reloads) -> int:
    """Print what was seen; return 1 if a demand was missed."""
    before, during, after = measure_phases(done)
    print("\n| | requests/s | CPU µs/req | p99 ms | largest p99 of a second |\n|---|--:|--:|--:|--:|")
    for name, phase in (("before", before), ("during", during), ("after", after)):
        print(
            f"| {name} | {phase.requests_per_s:,.0f} | {phase.cpu_us:.0f} | {phase.p99_ms:.1f} "
            f"| {phase.worst_window_ms:.1f} |"
        )
    seconds = 1000 * np.array(done.seconds)
    print(f"\na reload took {np.median(seconds):.0f} ms, {seconds.max():.0f} at most\n")
    return print_checks(list_checks(done, before, during, after))


def measure_phases(done: Reloads) -> tuple[Phase, Phase, Phase]:
    """Return what callers got before, during and after the reloads."""
    answered, cpu_s = done.answered, np.diff(done.cpu_s)
    before = measure_phase(answered, done.began, done.first_reload, cpu_s[0])
    during = measure_phase(answered, done.first_reload, done.last_reload, cpu_s[1], MAX_P99 * before.p99_ms)
    return before, during, measure_phase(answered, done.last_reload, done.ended, cpu_s[2])


def list_checks(done: Reloads, before: Phase, during: Phase, after: Phase) -> list[Check]:
    """Return the criteria, and what was measured."""
    answered, memory = done.answered, done.memory_mib[min(WARM, len(done.memory_mib) - 1) :]
    share = dict(sorted(answered.versions.items()))
    growth = max(memory[-WARM:]) / max(memory[:WARM])
    return [
        Check("every reload is done", f"{len(done.seconds):,}, failed: {dict(done.failed) or 'none'}", not done.failed),
        Check("both versions answer", ", ".join(f"{v}: {n:,}" for v, n in share.items()), len(share) == 2),
        Check("no answer that is not its version's", f"{dict(answered.wrong) or 'none'}", not answered.wrong),
        Check("no failed request", f"{dict(answered.failed) or 'none'}", not answered.failed),
        Check(
            f"p99 at most {MAX_P99:g} × as before",
            f"{during.p99_ms / before.p99_ms:.2f} ×; {during.windows_over} of {during.windows} s over it",
            during.p99_ms <= MAX_P99 * before.p99_ms,
        ),
        Check(
            f"resident memory within {MAX_GROWTH - 1:.0%}",
            f"{memory[0]:.0f} → {memory[-1]:.0f} MiB, largest {max(memory):.0f}",
            growth <= MAX_GROWTH,
        ),
        Check(
            "a request costs afterwards what it did before",
            f"{after.cpu_us / before.cpu_us:.2f} × the CPU time",
            SAME * after.cpu_us <= before.cpu_us,
        ),
        Check(
            f"p99 afterwards at most {MAX_P99:g} × as before",
            f"{after.p99_ms / before.p99_ms:.2f} ×",
            after.p99_ms <= MAX_P99 * before.p99_ms,
        ),
    ]
