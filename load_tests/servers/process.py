"""What a server's processes use, and what one run of a load generator measured."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

END_TIMEOUT_S = 20


@dataclass(frozen=True)
class Measured:
    """One run of a load generator."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server and its children, a request
    errors: int


def cpu_seconds(server: psutil.Process) -> float:
    """Return the CPU time a process, its children, and those of them that are gone have used."""
    times = [process.cpu_times() for process in family(server)]
    return sum(used.user + used.system + used.children_user + used.children_system for used in times)


def memory_mib(server: psutil.Process) -> float:
    """Return the resident memory of a process and its children; one that ends meanwhile has none."""
    total = server.memory_info().rss
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return float(total / 2**20)


def private_and_shared_mib(server: psutil.Process) -> float:
    """Return the memory of a process and its children, where a page they share counts once.

    Ray's fifteen processes share 440 MiB, which `memory_mib` counts again and again.
    """
    return sum(process.memory_full_info().pss for process in family(server)) / 2**20


def uses_tensorflow(server: psutil.Process) -> bool:
    """Return whether any of the server's processes has TensorFlow's library mapped."""
    return any("libtensorflow" in mapped.path for process in family(server) for mapped in process.memory_maps())


def family(server: psutil.Process) -> list[psutil.Process]:
    """Return a process and its children; Ray's and Triton's are among them, whatever session they are in."""
    return [server, *server.children(recursive=True)]


def end(processes: Sequence[psutil.Process]) -> None:
    """Ask the first of the processes to end, and kill what it leaves behind, or itself if it takes too long."""
    processes[0].terminate()
    latest = time.monotonic() + END_TIMEOUT_S
    while is_alive(processes[0]) and time.monotonic() < latest:
        time.sleep(0.05)
    for process in filter(is_alive, processes):
        process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is there and not only its exit code."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
