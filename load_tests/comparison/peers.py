"""Measures other servers with the same model beside ours, in one run on one machine: `make peers`.

Each server runs in an environment of its own and alone: it is started, warmed, loaded and
stopped before the next one starts, because some of them burn CPU time while they are idle. That
is done round after round, so that what the machine does otherwise hits all of them alike; shown
are medians over the rounds. The CPU time and the memory are those of all processes of a server,
a page that they share counted once.
Each has one worker: with two cores a second one would take the load generator's.
"""

import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from ekiben.contract.errors import UserError
from ekiben.load_tests.comparison import h2load, wrk
from ekiben.load_tests.comparison.bench import Loader
from ekiben.load_tests.comparison.peer_list import OURS, Entry, find_entries
from ekiben.load_tests.comparison.peers_report import Line, Load, Run, report
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import TWO_LOADS, RequestFormat
from ekiben.load_tests.servers.process import private_and_shared_mib

FIRST_PORT = 23100
WARM_UP_S = 1


def run(seconds: int, rounds: int) -> int:
    """Measure, and print a Markdown table; return 1 if a line of it is missing because a server failed."""
    wrk.find_wrk()
    h2load.find_h2load()
    entries = find_entries()
    lines, failures = measure(entries, seconds, rounds)
    print(f"\n{describe_machine()}; medians of {rounds} rounds of {seconds} s\n")
    print(report(lines, OURS.peer.name))
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 0 if len(lines) == len(TWO_LOADS) * sum(len(entry.peer.request_formats) for entry in entries) else 1


def measure(entries: list[Entry], seconds: int, rounds: int) -> tuple[list[Line], list[str]]:
    """Return what each server did, and what went wrong: it does not start, answers wrong, or no more after a load.

    Such a server is tried again in the next round. MLServer's batcher, for one, may stop for good
    when calls are cancelled, as the last ones are at the end of a load.
    """
    results: dict[tuple[Entry, RequestFormat, Load], list[Run]] = defaultdict(list)
    failures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        loader, warmer = (Loader(length, Path(folder)) for length in (seconds, WARM_UP_S))
        plan = [(entry, port) for _ in range(rounds) for port, entry in enumerate(entries, FIRST_PORT)]
        for entry, port in tqdm(plan, desc="measuring", unit="server"):
            try:
                for request_format, load, run in load_alone(entry, port, loader, warmer):
                    results[entry, request_format, load].append(run)
            except UserError as error:
                failures[f"{entry.peer.name} on {entry.engine}: {error}"] += 1
    lines = [
        Line(entry.peer.name, entry.version, entry.engine, request_format, load, runs)
        for (entry, request_format, load), runs in results.items()
    ]
    return lines, [f"{failure} ({times} of {rounds} rounds)" for failure, times in failures.items()]


def load_alone(entry: Entry, port: int, loader: Loader, warmer: Loader) -> Iterator[tuple[RequestFormat, Load, Run]]:
    """Start a server, load it in each of its dialects, and stop it."""
    with loader.start(entry.peer, port) as server:
        for request_format in entry.peer.request_formats:
            for load in sorted(TWO_LOADS):
                warmer.measure(server, request_format, *load)
                measured = loader.measure(server, request_format, *load)
                yield request_format, load, Run(measured, private_and_shared_mib(server.process), server.start_s)
