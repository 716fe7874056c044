"""Attacks a service of 640 MiB while good callers ask it every 10 ms: `ekiben hostile`."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.hostile.attack import Attack, Traffic
from ekiben.load_tests.hostile.attacked_service import LIMIT_MIB, SHORT_S, Started, key, start_service
from ekiben.load_tests.hostile.attacker import Attacker, start_attacker
from ekiben.load_tests.hostile.catalogue import choose
from ekiben.load_tests.hostile.good import CallerResult, calling
from ekiben.load_tests.hostile.sampler import Sampler
from ekiben.load_tests.hostile.summary import write_summary
from ekiben.load_tests.hostile.verdict import MAX_AFTER, Result, print_head
from ekiben.load_tests.machine import describe_machine

SAMPLE_S = 0.02
QUIET_S = 1.0  # good callers alone
AFTER_S = 2.0


def run(port: int, only: Sequence[str], seconds: float, short: bool, folder: Path) -> int:
    """Attack a service that is started here; print what came of it and return 1 if a demand was missed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no service is left behind
    attacks = choose(only)
    print(f"{describe_machine()}; {len(attacks)} attacks on a service of {LIMIT_MIB} MiB\n")
    print_head()
    results = []
    for result in attack_all(attacks, port, min(seconds, SHORT_S) if short else seconds, short, folder):
        print(result.write_row(), flush=True)
        results.append(result)
    print("", *write_summary(results), sep="\n")
    missed = sum(result.did_harm for result in results)
    print(f"\n{missed} of {len(attacks)} attacks did harm")
    return int(missed > 0)


def attack_all(attacks: Sequence[Attack], port: int, seconds: float, short: bool, folder: Path) -> Iterator[Result]:
    """Yield what comes of each attack; the service is started anew when one has harmed it, or needs other settings."""
    split = split_cores(1)
    stack: ExitStack | None = None
    started: Started | None = None
    try:
        with running_on(split.generator):
            for attack in attacks:
                if stack is None or started is None or started.settings != key(attack):
                    if stack:
                        stack.close()
                    stack = ExitStack()
                    started = start_service(attack, port, seconds, short, folder, stack, split.service)
                result = asyncio.run(measure(attack, started))
                yield result
                if not result.whole or result.errors or result.after_mib > MAX_AFTER * result.before_mib:
                    stack.close()
                    stack = None
    finally:
        if stack:
            stack.close()


async def measure(attack: Attack, started: Started) -> Result:
    """Attack once, with good callers before, meanwhile and after."""
    log_before = started.log.stat().st_size
    with start_attacker(attack.name, started.target) as attacker:
        sampler = Sampler(started.process, LIMIT_MIB)
        async with calling(started.target, attack.settings.get("AUTH_TOKEN", "")) as result:
            before, base = await watch_quiet(sampler)
            result.reset()
            began, cpu = time.monotonic(), sampler.read_cpu()
            traffic = await watch(attacker, sampler)
            await sample_for(sampler, AFTER_S)
            cpu_s = sampler.read_cpu() - cpu - base * (time.monotonic() - began)
            after = sampler.sample()
    cpu_s = max(cpu_s, 0.0)
    text = read_log(started.log, log_before)
    return Result(
        attack, traffic, before, sampler.peak_mib, after, sampler.killed, sampler.is_whole(),
        cpu_s, factor(cpu_s, traffic, started.cpu_us_a_byte),
        result.p99_ms, result.lag_p99_ms, list_errors(result, attack),
        len(text) / 1024, find_forged(text, attack),
    )  # fmt: skip


async def watch_quiet(sampler: Sampler) -> tuple[float, float]:
    """Return the memory and the CPU seconds a second, with good callers alone."""
    await asyncio.sleep(QUIET_S / 2)
    began, cpu = time.monotonic(), sampler.read_cpu()
    await asyncio.sleep(QUIET_S)
    base = (sampler.read_cpu() - cpu) / (time.monotonic() - began)
    sampler.peak_mib = 0.0
    return sampler.sample(), base


async def watch(attacker: Attacker, sampler: Sampler) -> Traffic | None:
    """Let the attack go, and sample until it is over."""
    attacker.begin()
    while not attacker.is_done():
        sampler.sample()
        await asyncio.sleep(SAMPLE_S)
    return attacker.read()


async def sample_for(sampler: Sampler, seconds: float) -> None:
    """Sample for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sampler.sample()
        await asyncio.sleep(SAMPLE_S)


def factor(cpu_s: float, traffic: Traffic | None, cpu_us_a_byte: float) -> float:
    """Return how many times a good row's CPU an attack costs, by the byte."""
    sent = traffic.sent if traffic else 0
    return 1e6 * cpu_s / max(sent, 1) / cpu_us_a_byte


def list_errors(result: CallerResult, attack: Attack) -> Counter[str]:
    """Return the good callers' errors: to be rejected is none where honest load alone fills the service."""
    if not attack.crowded:
        return result.errors
    return Counter(
        {error: count for error, count in result.errors.items() if error not in ("HTTP 429", "gRPC RESOURCE_EXHAUSTED")}
    )


def read_log(log: Path, start: int) -> bytes:
    """Return what was logged since."""
    return log.read_bytes()[start:]


def find_forged(text: bytes, attack: Attack) -> list[str]:
    """Return the lines of the log that an attack has forged."""
    lines = text.decode("utf-8", "replace").splitlines()
    return [line for line in lines if any(line.startswith(f) or "\x1b" in line for f in attack.forged)]


def list_attacks() -> int:
    """Print every attack's name and what it does."""
    for attack in choose(()):
        print(f"{attack.name:<24} {attack.about}")
    return 0
