"""Prints what was measured as Markdown tables."""

import platform
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median

import psutil

from ekiben.load_tests.dialects import PREDICT, Dialect
from ekiben.load_tests.process import Measured, memory_mib, uses_tensorflow
from ekiben.load_tests.servers import ECHO, EKIBEN, Peer, Running

COLUMNS = (
    *("rows", "in flight", "dialect", "server", "req/s", "rows/s"),
    *("p50 ms", "p99 ms", "CPU µs/req", "(min-max)", "×", "errors"),
)
Load = tuple[int, int]  # rows a request, requests in flight
Results = Mapping[tuple[Load, Dialect, Peer], Sequence[Measured]]


def report(servers: Sequence[Running], results: Results) -> None:
    """Print the medians, how far the rounds lay apart, and the CPU time as a multiple of what it is held against."""
    print(f"\n{describe_machine()}; the load generator shares the cores\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print("|--:|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for ((rows, in_flight), dialect, peer), runs in results.items():
        rate, cpu = median(run.requests_per_s for run in runs), [run.cpu_us for run in runs]
        p50, p99 = median(run.p50_ms for run in runs), median(run.p99_ms for run in runs)
        times = median(cpu) / floor_us(results, (rows, in_flight), dialect)
        print(
            f"| {rows} | {in_flight} | {dialect.name} | {peer.name} | {rate:,.0f} | {rows * rate:,.0f} "
            f"| {p50:.2f} | {p99:.2f} | {median(cpu):.0f} | {min(cpu):.0f}-{max(cpu):.0f} | {times:.2f} "
            f"| {sum(run.errors for run in runs)} |"
        )
    print("\n×: CPU time beside Ekiben's /predict over HTTP, beside the echo of the same message over gRPC")
    print("\n| server | start to first answer, s | resident after the load, MiB | TensorFlow loaded |")
    print("|---|--:|--:|---|")
    for server in servers:
        loaded = "yes" if uses_tensorflow(server.process) else "no"
        print(f"| {server.peer.name} | {server.start_s:.1f} | {memory_mib(server.process):.0f} | {loaded} |")


def floor_us(results: Results, load: Load, dialect: Dialect) -> float:
    """Return the CPU time that a dialect's is held against."""
    runs = results[(load, dialect, ECHO) if dialect.grpc else (load, PREDICT, EKIBEN)]
    return median(run.cpu_us for run in runs)


def describe_machine() -> str:
    """Return the date, the processor and the versions a number was measured with."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.machine())
    cores = psutil.cpu_count()
    return f"{date.today()}, {processor}, {cores} cores, Python {platform.python_version()}"
