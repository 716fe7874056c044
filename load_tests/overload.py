"""What the service does with more than it can carry: `python -m load_tests overload`.

A burst of five times the peak, or of what the load generator can send. What a service keeps then
follows from what a refusal costs: at k times the peak, a refusal at the share s of an answer's cost
leaves (1 − k·s) / (1 − s) of the peak. A refusal is an HTTP request all the same, read from its
socket and answered: s is more than a quarter for one row and a small network.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from load_tests.capacity import Bench, Step, describe_split, describe_wait, serve, wait_setting
from load_tests.cores import split_cores
from load_tests.dialects import PREDICT
from load_tests.generator import Offered, start_generator
from load_tests.grpc_dialects import OIP_RAW
from load_tests.process import memory_mib
from load_tests.question import Question
from load_tests.servers import CHANNEL_OPTIONS, GRPC_OFFSET
from load_tests.target import find_source, write_calls

FACTOR = 5  # times the peak
CALLS = 200
CONNECTIONS = 4096  # so many may wait in the service at once
CALLERS = (16, 64, 256, 1024)  # of a closed loop: a first guess at the peak; the last ask again when refused
SHARES = (0.7, 0.8, 0.9, 1.0, 1.1)  # of that guess, in an open loop
PEAK_S = 2.0
NORMAL = 0.5  # of the peak: before and after the burst
NORMAL_S = 4.0
RECOVERY_S = 2.0  # after the burst latency must be as before
LEAST_KEPT = 0.9  # of the peak
MOST_LATENCY = 2.0  # times the SLO
MOST_GROWTH = 1.05
GENERATOR_SHARE = 0.8  # of its cores that the generator plans to use
GRPC_CALLS, GRPC_CHANNELS = 900, 20  # gRPC itself cancels calls once 1,000 wait to be taken
GRPC_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Check:
    """One demand, what was seen, and whether that is good enough."""

    demand: str
    seen: str
    met: bool


@dataclass(frozen=True)
class Costs:
    """CPU seconds of the service."""

    answer_s: float
    refusal_s: float

    def keep(self, factor: float) -> float:
        """Return the share of the peak's answers that can be given at that many times the peak."""
        share = self.refusal_s / self.answer_s
        return min(max((1 - factor * share) / (1 - share), 0.0), 1.0) if share < 1 else 0.0


def run(port: int, rows: int, slo_ms: float, seconds: float, folder: Path) -> int:
    """Overload a service that is started here; print the verdict and return 1 if a demand was missed."""
    split = split_cores(1)
    with (
        serve(1, port, folder, split, wait_setting(slo_ms)) as (service, process),
        start_generator(split) as generator,
    ):
        source = find_source(service)
        print(f"{describe_split(split)}; {describe_wait(slo_ms)}, {rows} rows a request")
        bench = Bench(service, generator, write_calls(service, source, PREDICT, rows, CALLS), seconds, process)
        question = source.ask(OIP_RAW, rows)
        best = find_peak(bench)
        peak = best.offered.achieved
        before = bench.offer(NORMAL * peak, seconds=NORMAL_S).offered
        rate = plan_rate(peak, best)
        costs = read_costs(best, bench.offer(rate, seconds=PEAK_S, connections=CONNECTIONS))
        codes: Counter[str] = Counter()
        call_grpc(port + GRPC_OFFSET, question, codes)  # memory is now as large as connections and calls make it
        memory = memory_mib(process)
        codes.clear()
        caller = threading.Thread(target=call_grpc, args=(port + GRPC_OFFSET, question, codes))
        caller.start()
        burst = bench.offer(rate, connections=CONNECTIONS, settle=False)
        after = bench.offer(NORMAL * peak, seconds=NORMAL_S).offered
        caller.join()
        checks = judge(peak, burst.offered, before, after, slo_ms)
        checks += [judge_grpc(codes), judge_memory(memory, memory_mib(process))]
    print_verdict(checks, peak, rate, costs)
    return int(not all(check.met for check in checks))


def find_peak(bench: Bench) -> Step:
    """Return the step of the open loop with the most good answers a second; a closed loop says where to look."""
    guess = max(bench.offer(0, callers, PEAK_S).offered.achieved for callers in CALLERS)
    steps = [bench.offer(share * guess, seconds=PEAK_S, connections=CONNECTIONS) for share in SHARES]
    return max(steps, key=lambda step: step.offered.achieved)


def plan_rate(peak: float, step: Step) -> float:
    """Return the rate to overload with, as far as the generator can send it by what that step took of it."""
    return min(FACTOR * peak, step.offered.rate * GENERATOR_SHARE / step.offered.cpu_share)


def read_costs(best: Step, flood: Step) -> Costs:
    """Return what answers cost at the peak, and what refusals cost beside them."""
    answer_s = 1 / best.offered.achieved  # of the one core that it has
    refused = flood.offered.shed / flood.offered.seconds
    left = 1 - answer_s * flood.offered.achieved
    return Costs(answer_s, max(left, 0.0) / refused if refused else 0.0)


def judge(peak: float, burst: Offered, before: Offered, after: Offered, slo_ms: float) -> list[Check]:
    """Return what is demanded of HTTP."""
    kept, p99 = burst.achieved / peak, burst.percentile(99)
    late = after.latency_ms[after.good_at_s > RECOVERY_S]
    then = float(np.percentile(late, 99)) if len(late) else float("inf")
    normal = before.percentile(99)
    lost = burst.failed + burst.timed_out + burst.wrong
    return [
        Check(
            f"good answers ≥ {LEAST_KEPT:.0%} of the peak", f"{burst.achieved:,.0f}/s, {kept:.0%}", kept >= LEAST_KEPT
        ),
        Check(f"p99 of the accepted ≤ {MOST_LATENCY * slo_ms:g} ms", f"{p99:.1f} ms", p99 <= MOST_LATENCY * slo_ms),
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


def judge_grpc(codes: Counter[str]) -> Check:
    """Return what is demanded of gRPC calls in the burst."""
    others = set(codes) - {"OK", "RESOURCE_EXHAUSTED"}
    seen = ", ".join(f"{count} {code}" for code, count in codes.most_common())
    return Check("gRPC calls meanwhile: OK or RESOURCE_EXHAUSTED with retry-after", seen, not others and bool(codes))


def judge_memory(before: float, after: float) -> Check:
    """Return what is demanded of the resident memory."""
    return Check(
        f"memory after the burst ≤ {MOST_GROWTH:g} × before",
        f"{before:.0f} → {after:.0f} MiB",
        after <= MOST_GROWTH * before,
    )


def call_grpc(port: int, question: Question, codes: Counter[str]) -> None:
    """Call all at once over connections of their own, and count how the calls ended."""
    options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    channels = [grpc.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(GRPC_CHANNELS)]
    methods = [channel.unary_unary(question.path, bytes, bytes) for channel in channels]
    calls = [
        methods[number % GRPC_CHANNELS].future(question.body, timeout=GRPC_TIMEOUT_S) for number in range(GRPC_CALLS)
    ]
    codes.update(read_code(call, question) for call in calls)
    for channel in channels:
        channel.close()


def read_code(call: Any, question: Question) -> str:
    """Return how a call ended."""
    code = str(call.code().name)
    if code == "OK" and not question.is_answered_by(call.result()):
        return "a wrong answer"
    if code == "RESOURCE_EXHAUSTED" and "retry-after" not in dict(call.trailing_metadata()):
        return "RESOURCE_EXHAUSTED without retry-after"
    return code


def print_verdict(checks: Sequence[Check], peak: float, rate: float, costs: Costs) -> None:
    """Print the demands as a Markdown table."""
    limit = (
        "" if rate >= FACTOR * peak else f": the load generator can't send {FACTOR} × the peak, {FACTOR * peak:,.0f}/s"
    )
    print(f"\npeak {peak:,.0f}/s, offered {rate:,.0f}/s, {rate / peak:.1f} × the peak{limit}")
    print(
        f"an answer costs {1e6 * costs.answer_s:.0f} µs of the service's core and a refusal "
        f"{1e6 * costs.refusal_s:.0f}: at that rate {costs.keep(rate / peak):.0%} of the peak can be kept\n"
    )
    print_checks(checks)


def print_checks(checks: Sequence[Check]) -> None:
    """Print demands as a Markdown table."""
    print("| demand | seen | |")
    print("|---|---|---|")
    for check in checks:
        print(f"| {check.demand} | {check.seen} | {'met' if check.met else '**missed**'} |")
