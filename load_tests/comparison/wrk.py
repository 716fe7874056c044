"""Runs `wrk` against a server's HTTP port and reads what it measured."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil

from ekiben.contract.errors import UserError
from ekiben.load_tests.servers.process import Measured, cpu_seconds

SCRIPT = Path(__file__).parent / "requests.lua"


class WrkMissing(UserError):
    """The load generator is not installed."""


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Write whole requests as SCRIPT reads them: each after a line that says how long it is."""
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))


def measure(url: str, server: psutil.Process, connections: int, seconds: int, requests: Path) -> Measured:
    """Load the server from that many connections with the requests of a file."""
    before = cpu_seconds(server)
    done = subprocess.run(
        [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), url],
        env=os.environ | {"REQUESTS": str(requests)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = cpu_seconds(server) - before
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    answered, micros, p50, p99, errors = (float(number) for number in result.split()[1:])
    return Measured(1e6 * answered / micros, p50 / 1000, p99 / 1000, 1e6 * spent / max(answered, 1), int(errors))


def find_wrk() -> str:
    """Return the path of wrk; raise WrkMissing if it is not installed."""
    found = shutil.which("wrk")
    if not found:
        raise WrkMissing("wrk is not installed: `apt-get install wrk` on Debian, `brew install wrk` on a Mac")
    return found
