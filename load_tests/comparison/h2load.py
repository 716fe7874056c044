"""Runs `h2load` against a server's gRPC port and reads what it measured."""

import re
import shutil
import subprocess
from math import isqrt
from pathlib import Path

import psutil

from ekiben.contract.errors import UserError
from ekiben.load_tests.servers.process import Measured, cpu_seconds

HEADERS = ("content-type: application/grpc", "te: trailers")
PREFIX_BYTES = 5  # before a message: whether it is compressed, and its length
COUNTS = re.compile(r"^requests: .* (\d+) done,.*^traffic: .* \((\d+)\) data$", re.DOTALL | re.MULTILINE)


class H2loadMissing(UserError):
    """The load generator is not installed."""


def write_message(path: Path, message: bytes) -> None:
    """Write a message as the body of a gRPC call has it."""
    path.write_bytes(b"\0" + len(message).to_bytes(PREFIX_BYTES - 1, "big") + message)


def measure(
    url: str, server: psutil.Process, in_flight: int, seconds: int, message: Path, answer_bytes: int
) -> Measured:
    """Call the method at the URL with that many calls in flight, over as many connections as calls on each.

    h2load does not look at gRPC's status; but a call that failed has no message: its bytes are missing. It does not go on
    after a GOAWAY either, which comes after 3,000 calls here: it begins anew each second.
    """
    connections, log = isqrt(in_flight), message.with_suffix(".log")
    headers = [argument for header in HEADERS for argument in ("-H", header)]
    log.unlink(missing_ok=True)  # h2load appends to it
    before = cpu_seconds(server)
    command = [find_h2load(), f"-c{connections}", f"-m{in_flight // connections}", "-D1", *headers,
               "-d", str(message), f"--log-file={log}", url]  # fmt: skip
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(seconds)]
    spent = cpu_seconds(server) - before
    calls, received = map(sum, zip(*map(read_counts, printed), strict=True))
    p50, p99 = read_percentiles(log)
    errors = calls - received // (PREFIX_BYTES + answer_bytes)
    return Measured(calls / seconds, p50, p99, 1e6 * spent / max(calls, 1), abs(errors))


def read_counts(printed: str) -> tuple[int, int]:
    """Return how many calls were done, and how many bytes their answers had."""
    found = COUNTS.search(printed)
    if not found:
        raise UserError(f"h2load printed no counts: {printed[-500:]}")
    return int(found[1]), int(found[2])


def read_percentiles(log: Path) -> tuple[float, float]:
    """Return the median and the 99th percentile of the calls' durations, in ms; the log has one a line, in µs."""
    durations = sorted(int(line.rpartition("\t")[2]) for line in log.read_text(encoding="ascii").splitlines())
    if not durations:
        return float("nan"), float("nan")
    return durations[len(durations) // 2] / 1000, durations[len(durations) * 99 // 100] / 1000


def find_h2load() -> str:
    """Return the path of h2load; raise H2loadMissing if it is not installed."""
    found = shutil.which("h2load")
    if not found:
        where = "`apt-get install nghttp2-client` on Debian, `brew install nghttp2` on a Mac"
        raise H2loadMissing(f"h2load is not installed: {where}")
    return found
