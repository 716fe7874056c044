"""Measures what it costs to start and to be there: `ekiben start`, no container needed.

Starts of the service as one process, which is the image's way, and of `bentoml serve`, a supervisor with one worker,
follow each other, so that what the machine does otherwise hits both alike. Memory is what is resident as the first
probe is answered, and what of it is this service's alone, of all processes. `--contents` lists what it is made of.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from ekiben.contract.errors import UserError
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.servers.process import cpu_seconds, end, family, memory_mib
from ekiben.load_tests.servers.start import GRPC_OFFSET, START_TIMEOUT_S, check_free
from ekiben.service.target import TARGET

WAYS = {
    "one process": ("ekiben.service",),
    "supervisor and worker": ("bentoml", "serve", TARGET),
}
HEADER = """
| service | processes | start to ready, s | CPU time of it, s | resident, MiB | its own, MiB |
|---|--:|--:|--:|--:|--:|"""


@dataclass(frozen=True)
class Start:
    """One start, as the service was ready."""

    processes: int
    seconds: float
    cpu_s: float
    resident_mib: float
    own_mib: float  # without the pages of files, which other processes may have too


def run(port: int, rounds: int) -> None:
    """Print a Markdown table of medians."""
    starts: dict[str, list[Start]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for way, command in WAYS.items():
                with start(command, port, Path(folder)) as (process, seconds):
                    starts[way].append(look_at(process, seconds))
    print(f"{describe_machine()}; medians of {rounds} starts\n{HEADER}")
    for way, measured in starts.items():
        fields = zip(*((s.processes, s.seconds, s.cpu_s, s.resident_mib, s.own_mib) for s in measured), strict=True)
        processes, seconds, cpu_s, resident, own = map(median, fields)
        print(f"| {way} | {processes:g} | {seconds:.2f} | {cpu_s:.2f} | {resident:.0f} | {own:.0f} |")


@contextmanager
def start(command: tuple[str, ...], port: int, folder: Path, *python: str) -> Iterator[tuple[psutil.Process, float]]:
    """Start a service and wait until it is ready; end it afterwards. Yields its first process and the seconds."""
    check_free(port)
    log = folder / "log"
    ports = {"PORT": str(port), "GRPC_PORT": str(port + GRPC_OFFSET), "DRAIN_DELAY_S": "0"}
    began = time.perf_counter()
    with log.open("w") as output:
        started = subprocess.Popen(
            [sys.executable, *python, "-m", *command],
            env=os.environ | ports | {"BENTOML_CONTAINERIZED": "true"}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        while not is_ready(port):
            if started.poll() is not None or time.perf_counter() - began > START_TIMEOUT_S:
                raise UserError(f"the service did not start: {log.read_text()[-500:]}")
            time.sleep(0.01)
        yield psutil.Process(started.pid), time.perf_counter() - began
    finally:
        if started.poll() is None:
            end(family(psutil.Process(started.pid)))
        started.wait()


def look_at(process: psutil.Process, seconds: float) -> Start:
    """Return what a start has taken."""
    own = sum(one.memory_full_info().uss for one in family(process)) / 2**20
    return Start(len(family(process)), seconds, cpu_seconds(process), memory_mib(process), own)


def is_ready(port: int) -> bool:
    """Return whether the service says so."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=START_TIMEOUT_S):
            return True
    except (URLError, OSError):
        return False
