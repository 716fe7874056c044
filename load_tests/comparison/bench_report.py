"""Prints what was measured as Markdown tables."""

from collections.abc import Mapping, Sequence
from statistics import median

from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import PREDICT, RequestFormat
from ekiben.load_tests.servers.process import Measured, memory_mib, uses_tensorflow
from ekiben.load_tests.servers.start import ECHO, EKIBEN, Peer, Running

COLUMNS = (
    *("rows", "in flight", "dialect", "server", "req/s", "rows/s"),
    *("p50 ms", "p99 ms", "CPU µs/req", "(min-max)", "×", "errors"),
)
Load = tuple[int, int]  # rows a request, requests in flight
Results = Mapping[tuple[Load, RequestFormat, Peer], Sequence[Measured]]


def report(servers: Sequence[Running], results: Results) -> None:
    """Print the medians, how far the rounds lay apart, and the CPU time as a multiple of what it is held against."""
    print(f"\n{describe_machine()}; the load generator shares the cores\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print("|--:|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for ((rows, in_flight), request_format, peer), runs in results.items():
        rate, cpu = median(run.requests_per_s for run in runs), [run.cpu_us for run in runs]
        p50, p99 = median(run.p50_ms for run in runs), median(run.p99_ms for run in runs)
        times = median(cpu) / floor_us(results, (rows, in_flight), request_format)
        print(
            f"| {rows} | {in_flight} | {request_format.name} | {peer.name} | {rate:,.0f} | {rows * rate:,.0f} "
            f"| {p50:.2f} | {p99:.2f} | {median(cpu):.0f} | {min(cpu):.0f}-{max(cpu):.0f} | {times:.2f} "
            f"| {sum(run.errors for run in runs)} |"
        )
    print("\n×: CPU time beside Ekiben's /predict over HTTP, beside the echo of the same message over gRPC")
    print("\n| server | start to first answer, s | resident after the load, MiB | TensorFlow loaded |")
    print("|---|--:|--:|---|")
    for server in servers:
        loaded = "yes" if uses_tensorflow(server.process) else "no"
        print(f"| {server.peer.name} | {server.start_s:.1f} | {memory_mib(server.process):.0f} | {loaded} |")


def floor_us(results: Results, load: Load, request_format: RequestFormat) -> float:
    """Return the CPU time that a protocol's is held against."""
    runs = results[(load, request_format, ECHO) if request_format.grpc else (load, PREDICT, EKIBEN)]
    return median(run.cpu_us for run in runs)
