"""The peers' table, and the sentence that says where we lose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from load_tests.dialects import BARE, PREDICT, Dialect
from load_tests.process import Measured

Load = tuple[int, int]  # rows a request, requests in flight


@dataclass(frozen=True)
class Run:
    """One round of one load."""

    measured: Measured
    resident_mib: float  # after it
    start_s: float


@dataclass(frozen=True)
class Line:
    """One server under one load in one dialect."""

    server: str
    version: str
    engine: str
    dialect: Dialect
    load: Load
    runs: Sequence[Run]


@dataclass(frozen=True)
class Column:
    """One number of a line: the median of its rounds."""

    name: str
    of: Callable[[Run], float]
    form: str = ",.0f"
    more_is_better: bool = False

    def value(self, line: Line) -> float:
        return median(self.of(run) for run in line.runs)

    def text(self, line: Line) -> str:
        return f"{self.value(line):{self.form}}"

    def is_lost(self, ours: Line, theirs: Line) -> bool:
        """Return whether ours is the worse as far as the table shows."""
        if self.text(ours) == self.text(theirs):
            return False
        return (self.value(ours) > self.value(theirs)) != self.more_is_better


COLUMNS = (
    Column("req/s", lambda run: run.measured.requests_per_s, more_is_better=True),
    Column("p50 ms", lambda run: run.measured.p50_ms, ",.1f"),
    Column("p99 ms", lambda run: run.measured.p99_ms, ",.1f"),
    Column("CPU µs/request", lambda run: run.measured.cpu_us),
    Column("resident MiB", lambda run: run.resident_mib),
    Column("start s", lambda run: run.start_s, ".1f"),
)
HEAD = ("rows × connections", "server", "version", "engine", "dialect", *(column.name for column in COLUMNS), "errors")


def report(lines: Sequence[Line], ours: str) -> str:
    """Return the table as Markdown, the busiest server of each load first, and where we lose."""
    loads = dict.fromkeys(line.load for line in lines)
    ranked = [line for load in loads for line in sorted(lines, key=COLUMNS[0].value, reverse=True) if line.load == load]
    rows = [f"| {' | '.join(cells)} |" for cells in (HEAD, ("---:",) + ("---",) * 4 + ("--:",) * 7)]
    rows += [f"| {' | '.join(write_cells(line))} |" for line in ranked]
    return "\n".join([*rows, "", describe_losses(lines, ours)])


def write_cells(line: Line) -> tuple[str, ...]:
    """Return a line's cells."""
    errors = sum(run.measured.errors for run in line.runs)
    numbers = (column.text(line) for column in COLUMNS)
    return (describe_load(line.load), line.server, line.version, line.engine, line.dialect.name, *numbers, str(errors))


def describe_losses(lines: Sequence[Line], ours: str) -> str:
    """Say in one sentence in which columns another server is better than ours, asked the same in the same dialect."""
    lost = list(find_losses(lines, ours))
    if not lost:
        return f"{ours} loses in no column of any row, each held against its own in the same dialect."
    return f"{ours} loses: {'; '.join(lost)}."


def find_losses(lines: Sequence[Line], ours: str) -> Iterator[str]:
    """Yield every cell that beats ours."""
    held = {(line.load, line.dialect): line for line in lines if line.server == ours}
    for line in lines:
        mine = held.get((line.load, PREDICT if line.dialect is BARE else line.dialect))
        if mine is None or line.server == ours:
            continue
        for column in COLUMNS:
            if column.is_lost(mine, line):
                yield (
                    f"{column.name} at {describe_load(line.load)} in {line.dialect.name}, {column.text(mine)} "
                    f"against {column.text(line)} of {line.server} on {line.engine}"
                )


def describe_load(load: Load) -> str:
    """Return a load as the table has it."""
    return " × ".join(map(str, load))
