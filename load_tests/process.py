"""What a server's processes use, and what one run of a load generator measured."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Measured:
    """One run of a load generator."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server and its children, a request
    errors: int


def cpu_seconds(server: psutil.Process) -> float:
    """Return the CPU time a process and its children have used."""
    times = [process.cpu_times() for process in family(server)]
    return sum(time.user + time.system for time in times)


def memory_mib(server: psutil.Process) -> float:
    """Return the resident memory of a process and its children."""
    return sum(process.memory_info().rss for process in family(server)) / 2**20


def uses_tensorflow(server: psutil.Process) -> bool:
    """Return whether any of the server's processes has TensorFlow's library mapped."""
    return any("libtensorflow" in mapped.path for process in family(server) for mapped in process.memory_maps())


def family(server: psutil.Process) -> list[psutil.Process]:
    """Return a process and its children."""
    return [server, *server.children(recursive=True)]
