"""Runs `wrk` against a server and reads what it measured."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from contract.errors import UserError

SCRIPT = Path(__file__).parent / "requests.lua"


class WrkMissing(UserError):
    """The load generator is not installed."""


@dataclass(frozen=True)
class Measured:
    """One run of the load generator."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server and its children, a request
    errors: int


def measure(url: str, server: psutil.Process, connections: int, seconds: int, bodies: Path) -> Measured:
    """Load the URL from that many connections with the bodies in a file, one a line."""
    before = cpu_seconds(server)
    done = subprocess.run(
        [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), url],
        env=os.environ | {"BODIES": str(bodies)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = cpu_seconds(server) - before
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    requests, micros, p50, p99, errors = (float(number) for number in result.split()[1:])
    return Measured(1e6 * requests / micros, p50 / 1000, p99 / 1000, 1e6 * spent / max(requests, 1), int(errors))


def find_wrk() -> str:
    """Return the path of wrk; raise WrkMissing if it is not installed."""
    found = shutil.which("wrk")
    if not found:
        raise WrkMissing("wrk is not installed: `apt-get install wrk` on Debian, `brew install wrk` on a Mac")
    return found


def cpu_seconds(server: psutil.Process) -> float:
    """Return the CPU time a process and its children have used."""
    times = [process.cpu_times() for process in family(server)]
    return sum(time.user + time.system for time in times)


def memory_mib(server: psutil.Process) -> float:
    """Return the resident memory of a process and its children."""
    return sum(process.memory_info().rss for process in family(server)) / 2**20


def family(server: psutil.Process) -> list[psutil.Process]:
    """Return a process and its children."""
    return [server, *server.children(recursive=True)]
