"""What the service does with more than it can carry: `ekiben overload`.

A burst of five times the peak, or of what the load generator can send. What a service keeps then
follows from what a rejection costs (load_tests/overload/rejection_cost.py).
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from ekiben.contract.errors import UserError
from ekiben.load_tests.capacity.measure import describe_split
from ekiben.load_tests.capacity.rates import Bench, Step
from ekiben.load_tests.criteria import Check, print_checks
from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.generator.load import Load
from ekiben.load_tests.generator.processes import Offered, start_generator
from ekiben.load_tests.overload.rejection_cost import measure_rejection_floor, print_costs, read_costs
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.requests.service_under_test import find_source, write_calls
from ekiben.load_tests.servers.own_service import describe_wait, serve, wait_setting
from ekiben.load_tests.servers.process import memory_mib
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS, GRPC_OFFSET
from ekiben.service.environment import read_settings

FACTOR = 5  # times the peak
CALLS = 200
CONNECTIONS = 4096  # so many may wait in the service at once
CALLERS = (16, 64, 256, 1024)  # of a closed loop: a first guess at the peak; the last ask again when rejected
SHARES = (0.7, 0.8, 0.9, 1.0, 1.1)  # of that guess, in an open loop
PEAK_S = 2.0
NORMAL = 0.5  # of the peak: before and after the burst
NORMAL_S = 4.0
RECOVERY_S = 2.0  # after the burst latency must be as before
MIN_KEPT = 0.9  # of the peak
MAX_LATENCY_FACTOR = 2.0  # times the SLO
MAX_GROWTH_FACTOR = 1.05
GENERATOR_SHARE = 0.8  # of its cores that the generator plans to use
GRPC_CALLS, GRPC_CHANNELS = 900, 20  # at once; gRPC itself cancels calls once 1,000 wait to be taken
GRPC_CALLS_BESIDE = 20  # in the burst, again and again: few beside HTTP's, whose answers are what is counted
GRPC_PAUSE_S = 0.5
GRPC_TIMEOUT_S = 10.0


def check(rows: int, cores: int) -> None:
    """Raise UserError if no service can take so many rows in a request, or have so many cores."""
    most = read_settings().max_request_rows
    if rows > most:
        raise UserError(f"--rows {rows}: the service takes at most MAX_REQUEST_ROWS={most} in a request")
    there = len(split_cores(cores).service)
    if cores > there:
        raise UserError(f"--cores {cores}: this process may use {there}")


def run(port: int, rows: int, cores: int, slo_ms: float, seconds: float, folder: Path) -> int:
    """Overload a service that is started here; print the verdict and return 1 if a demand was missed."""
    split = split_cores(cores)
    with (
        running_on(split.generator),  # gRPC's caller is this process
        serve(1, port, folder, split, wait_setting(slo_ms)) as (service, process),
        start_generator(split) as generator,
    ):
        source = find_source(service)
        print(f"{describe_split(split)}; {describe_wait(slo_ms)}, {rows} rows a request")
        calls = write_calls(service, source, PREDICT, rows, CALLS)
        bench = Bench(service, generator, calls, seconds, process)
        case = source.ask(OIP_RAW, rows)
        best = find_peak(bench)
        peak = best.offered.achieved
        before = bench.offer(NORMAL * peak, seconds=NORMAL_S).offered
        rate = plan_rate(peak, best)
        flood = bench.offer(rate, seconds=PEAK_S, connections=CONNECTIONS)
        load = Load(service.address, calls, rate, PEAK_S, connections=CONNECTIONS)
        least = measure_rejection_floor(generator, load, split.service) if cores == 1 else None
        codes: Counter[str] = Counter()
        with calling_grpc(port + GRPC_OFFSET, case, GRPC_CALLS, codes):  # memory is now as large as they make it
            pass
        memory = memory_mib(process)
        with calling_grpc(port + GRPC_OFFSET, case, GRPC_CALLS_BESIDE, codes):
            burst = bench.offer(rate, connections=CONNECTIONS, settle=False)
        after = bench.offer(NORMAL * peak, seconds=NORMAL_S, settle=False).offered  # at once
        checks = evaluate(peak, burst.offered, before, after, slo_ms)
        checks += [evaluate_grpc(codes), evaluate_memory(memory, memory_mib(process))]
    print_rates(peak, rate)
    if least:  # on a core of its own the network hardly feels what is rejected
        print_costs(read_costs(best, flood), least, rate / peak, FACTOR)
    return print_checks(checks)


def find_peak(bench: Bench) -> Step:
    """Return the step of the open loop with the most good answers a second; a closed loop says where to look."""
    guess = max(bench.offer(0, callers, PEAK_S).offered.achieved for callers in CALLERS)
    steps = [bench.offer(share * guess, seconds=PEAK_S, connections=CONNECTIONS) for share in SHARES]
    return max(steps, key=lambda step: step.offered.achieved)


def plan_rate(peak: float, step: Step) -> float:
    """Return the rate to overload with, as far as the generator can send it by what that step took of it."""
    return min(FACTOR * peak, step.offered.rate * GENERATOR_SHARE / step.offered.cpu_share)


def evaluate(peak: float, burst: Offered, before: Offered, after: Offered, slo_ms: float) -> list[Check]:
    """Return what is demanded of HTTP."""
    kept, p99 = burst.achieved / peak, burst.percentile(99)
    late = after.latency_ms[after.good_at_s > RECOVERY_S]
    then = float(np.percentile(late, 99)) if len(late) else float("inf")
    normal = before.percentile(99)
    lost = burst.failed + burst.timed_out + burst.wrong
    return [
        Check(f"good answers ≥ {MIN_KEPT:.0%} of the peak", f"{burst.achieved:,.0f}/s, {kept:.0%}", kept >= MIN_KEPT),
        Check(
            f"p99 of the accepted ≤ {MAX_LATENCY_FACTOR * slo_ms:g} ms",
            f"{p99:.1f} ms",
            p99 <= MAX_LATENCY_FACTOR * slo_ms,
        ),
        Check(
            "all others get 429 with Retry-After",
            f"{burst.shed:,} of {burst.sent:,}, {burst.bare} without the header, "
            f"{burst.timed_out} timed out, {burst.failed} failed, {burst.wrong} wrong",
            lost + burst.bare == 0,
        ),
        Check(
            f"after {RECOVERY_S:g} s latency is as before",
            f"p99 {then:.2f} ms, before {normal:.2f} ms",
            then <= 2 * normal + 1,
        ),
    ]


def evaluate_grpc(codes: Counter[str]) -> Check:
    """Return what is demanded of gRPC calls in the burst."""
    others = set(codes) - {"OK", "RESOURCE_EXHAUSTED"}
    seen = ", ".join(f"{count} {code}" for code, count in codes.most_common())
    demand = f"gRPC calls, {GRPC_CALLS} at once and then meanwhile: OK or RESOURCE_EXHAUSTED with retry-after"
    return Check(demand, seen, not others and codes.total() > GRPC_CALLS)


def evaluate_memory(before: float, after: float) -> Check:
    """Return what is demanded of the resident memory."""
    return Check(
        f"memory after the burst ≤ {MAX_GROWTH_FACTOR:g} × before",
        f"{before:.0f} → {after:.0f} MiB",
        after <= MAX_GROWTH_FACTOR * before,
    )


@contextmanager
def calling_grpc(port: int, case: RequestCase, count: int, codes: Counter[str]) -> Iterator[None]:
    """Meanwhile call again and again, so many at once over connections of their own; count how the calls ended."""
    options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    channels = [grpc.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(GRPC_CHANNELS)]
    methods = [channel.unary_unary(case.path, bytes, bytes) for channel in channels]
    ended = threading.Event()

    def call_again() -> None:
        while True:
            calls = [
                methods[number % GRPC_CHANNELS].future(case.body, timeout=GRPC_TIMEOUT_S) for number in range(count)
            ]
            codes.update(read_code(call, case) for call in calls)
            if ended.wait(GRPC_PAUSE_S):
                return

    caller = threading.Thread(target=call_again)
    caller.start()
    try:
        yield
    finally:
        ended.set()
        caller.join()
        for channel in channels:
            channel.close()


def read_code(call: Any, case: RequestCase) -> str:
    """Return how a call ended."""
    code = str(call.code().name)
    if code == "OK" and not case.is_answered_by(call.result()):
        return "a wrong answer"
    if code == "RESOURCE_EXHAUSTED" and "retry-after" not in dict(call.trailing_metadata()):
        return "RESOURCE_EXHAUSTED without retry-after"
    return code


def print_rates(peak: float, rate: float) -> None:
    """Print what was offered."""
    most = FACTOR * peak
    limit = "" if rate >= most else f": the load generator can't send {FACTOR} × the peak, {most:,.0f}/s"
    print(f"\npeak {peak:,.0f}/s, offered {rate:,.0f}/s, {rate / peak:.1f} × the peak{limit}\n")
