"""The peers' table, and the sentence that says where we lose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from ekiben.load_tests.requests.http_dialects import BARE, PREDICT, RequestFormat
from ekiben.load_tests.servers.process import Measured

Load = tuple[int, int]  # rows a request, requests in flight


@dataclass(frozen=True)
class Run:
    """One round of one load."""

    measured: Measured
    memory_mib: float  # after it
    start_s: float


@dataclass(frozen=True)
class Line:
    """One server under one load in one protocol."""

    server: str
    version: str
    engine: str
    request_format: RequestFormat
    load: Load
    runs: Sequence[Run]


@dataclass(frozen=True)
class Column:
    """One number of a line: the median of its rounds."""

    name: str
    of: Callable[[Run], float]
    form: str = ",.0f"
    more_is_better: bool = False
    of_server: bool = False  # and so much the same in all its lines
    is_duration: bool = False  # of requests, which a server that answers few in the time does not show

    def value(self, line: Line) -> float:
        return median(self.of(run) for run in line.runs)

    def text(self, line: Line) -> str:
        return f"{'≥ ' if self.is_duration and is_cut(line) else ''}{self.value(line):{self.form}}"

    def is_lost(self, ours: Line, theirs: Line) -> bool:
        """Return whether ours is the worse as far as the table shows."""
        if self.text(ours) == self.text(theirs):
            return False
        return (self.value(ours) > self.value(theirs)) != self.more_is_better


RATE = Column("req/s", lambda run: run.measured.requests_per_s, more_is_better=True)
MEDIAN = Column("p50 ms", lambda run: run.measured.p50_ms, ",.1f", is_duration=True)
COLUMNS = (
    RATE,
    MEDIAN,
    Column("p99 ms", lambda run: run.measured.p99_ms, ",.1f", is_duration=True),
    Column("CPU µs/request", lambda run: run.measured.cpu_us),
    Column("memory MiB", lambda run: run.memory_mib, of_server=True),
    Column("start s", lambda run: run.start_s, ".1f", of_server=True),
)


def is_cut(line: Line) -> bool:
    """Return whether most requests still waited at the end: by Little's law they take far longer than it shows."""
    mean_ms = 1000 * line.load[1] / max(RATE.value(line), 1e-9)
    return mean_ms > 3 * MEDIAN.value(line)


HEAD = ("rows × connections", "server", "version", "engine", "dialect", *(column.name for column in COLUMNS), "errors")


def report(lines: Sequence[Line], ours: str) -> str:
    """Return the table as Markdown, the busiest server of each load first, and where we lose."""
    loads = dict.fromkeys(line.load for line in lines)
    ranked = [line for load in loads for line in sorted(lines, key=RATE.value, reverse=True) if line.load == load]
    rows = [f"| {' | '.join(cells)} |" for cells in (HEAD, ("--:",) + ("---",) * 4 + ("--:",) * 7)]
    rows += [f"| {' | '.join(write_cells(line))} |" for line in ranked]
    return "\n".join([*rows, "", describe_losses(lines, ours)])


def write_cells(line: Line) -> tuple[str, ...]:
    """Return a line's cells."""
    errors = sum(run.measured.errors for run in line.runs)
    numbers = (column.text(line) for column in COLUMNS)
    return (
        describe_load(line.load),
        line.server,
        line.version,
        line.engine,
        line.request_format.name,
        *numbers,
        str(errors),
    )


def describe_losses(lines: Sequence[Line], ours: str) -> str:
    """Say in one sentence in which columns another server is better than ours, asked the same in the same protocol."""
    lost = find_losses(lines, ours)
    if not lost:
        return f"{ours} loses in no column of any row, each held against its own in the same protocol."
    return f"{ours} loses in {'; '.join(lost)}."


def find_losses(lines: Sequence[Line], ours: str) -> list[str]:
    """Return what beats ours: each cell, but memory and start once for each server."""
    held = {(line.load, line.request_format): line for line in lines if line.server == ours}
    lost: dict[str, str] = {}
    for theirs in lines:
        mine = held.get((theirs.load, PREDICT if theirs.request_format is BARE else theirs.request_format))
        if mine is None or theirs.server == ours:
            continue
        for column in COLUMNS:
            index = "" if column.of_server else f" at {describe_load(theirs.load)} in {theirs.request_format.name}"
            sentence = f"{column.name}{index} to {theirs.server} on {theirs.engine}"
            if column.is_lost(mine, theirs):
                lost.setdefault(sentence, f"{sentence} ({column.text(mine)} against {column.text(theirs)})")
    return list(lost.values())


def describe_load(load: Load) -> str:
    """Return a load as the table has it."""
    return " × ".join(map(str, load))
