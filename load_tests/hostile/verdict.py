"""What an attack did to the service and to the good callers, and whether that may be."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ekiben.load_tests.hostile.attack import Attack, Traffic

MAX_PEAK, MAX_AFTER = 1.5, 1.05  # times the resident memory before
MAX_P99_MS = 100.0
MAX_CPU = 10.0  # times a good row's, by the byte
FREE_CPU_S = 0.5  # in all: less harms nobody, whatever it is by the byte
MAX_LOG_KIB = 100.0
COLUMNS = ("attack", "sent MB", "answers", "resident MiB: before → peak → 2 s after", "CPU s", "× a good row's",
           "good callers' p99 ms (their own lag)", "errors", "missed")  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One attack, and what was seen meanwhile."""

    attack: Attack
    traffic: Traffic | None  # None: it had to be stopped
    before_mib: float
    peak_mib: float
    after_mib: float
    killed: bool  # for more memory than a container would have
    whole: bool  # the service has the processes that it had
    cpu_s: float  # beyond what the good callers cost
    cpu_factor: float  # times a good row's, by the byte
    p99_ms: float
    lag_p99_ms: float
    errors: Counter[str]  # of the good callers
    log_kib: float
    forged: Sequence[str]  # lines of the log

    @property
    def wrong_answers(self) -> list[str]:
        """What must not come back."""
        return sorted(set(self.traffic.answers) - self.attack.allowed) if self.traffic else []

    def find_faults(self) -> Iterator[str]:
        """Yield what is demanded on every machine, and missed."""
        if self.killed:
            yield "killed for its memory"
        elif not self.whole:
            yield "a process died"
        if self.traffic is None:
            yield "never ended"
        elif self.wrong_answers:
            yield f"answers: {', '.join(self.wrong_answers)}"
        if self.traffic and self.traffic.hidden:
            seen = ", ".join(f"{count} × {name.rstrip('_')}" for name, count in self.traffic.hidden.most_common())
            yield f"hidden requests answered: {seen}"
        if self.peak_mib > MAX_PEAK * self.before_mib:
            yield f"peak {self.peak_mib / self.before_mib:.2f} ×"
        if self.after_mib > MAX_AFTER * self.before_mib:
            yield f"after {self.after_mib / self.before_mib:.2f} ×"
        if self.forged:
            yield "forged log lines"
        if self.log_kib > MAX_LOG_KIB and not self.attack.forged:  # for those every request is logged
            yield f"{self.log_kib:,.0f} KiB of log"
        wrong = [error for error in self.errors if "wrong" in error]
        yield from wrong

    def find_slowness(self) -> Iterator[str]:
        """Yield what depends on the machine, and is missed."""
        if self.p99_ms > MAX_P99_MS:
            yield "p99"
        if self.errors:
            yield "errors"
        if self.cpu_factor > MAX_CPU and self.cpu_s > FREE_CPU_S:
            yield "CPU"

    @property
    def did_harm(self) -> bool:
        """Whether any demand was missed."""
        return any(self.find_faults()) or any(self.find_slowness())

    def write_row(self) -> str:
        """Return a row of the table."""
        missed = [*self.find_faults(), *self.find_slowness()]
        errors = ", ".join(f"{count} × {error}" for error, count in self.errors.most_common(3)) or "0"
        cells = (
            self.attack.name,
            f"{self.traffic.sent / 1e6:.2f}" if self.traffic else "?",
            self.traffic.shown if self.traffic else "?",
            f"{self.before_mib:.0f} → {self.peak_mib:.0f} → {self.after_mib:.0f}",
            f"{self.cpu_s:.2f}",
            f"{self.cpu_factor:.1f}",
            f"{self.p99_ms:.0f} ({self.lag_p99_ms:.0f})",
            errors,
            f"**{'; '.join(missed)}**" if missed else "",
        )
        return f"| {' | '.join(cells)} |"


def print_head() -> None:
    """Print the head of the table."""
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---|--:|---|--:|--:|--:|--:|--:|---|")
