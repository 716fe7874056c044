"""Mutates good requests of every protocol, guided by the decoders' coverage, and looks for what no caller may see.

Each input goes to the dialect its seed came from; it may be rejected, but never with a 500, an answer that
is not JSON, or more than a second's work. Between them a good request must get its own answer.
A finding is written to a file and printed.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ekiben"]):
    from tests.fuzz.seeds import SEEDS, Seed
    from tests.fuzz.service import ROW, SCHEMA, Service, Unexpected, check

SLOW_S = 1.0
EVERY = 200  # inputs between two good requests
GRACE_S = 60

statuses: Counter[tuple[str, int]] = Counter()


async def send(service: Service, seed: Seed, body: bytes) -> None:
    """Send a body where its seed came from; raise Unexpected if the answer is none a caller may see."""
    started = time.perf_counter()
    if seed.headers is None:
        status = await service.call(seed.path, body)
    else:
        status, answer = await service.post(seed.path, seed.headers, body)
        if status != 200 and not json.loads(answer)["error"]:
            raise Unexpected(f"no reason given: {answer!r}")
    check(status, body)
    if time.perf_counter() - started > SLOW_S:
        raise Unexpected(f"took {time.perf_counter() - started:.1f} s")
    statuses[seed.name, status] += 1


async def check_undisturbed(service: Service, wanted: bytes) -> None:
    """Raise Unexpected unless a good request gets its answer."""
    status, answer = await service.post("/predict", {}, json.dumps({"rows": [ROW]}).encode())
    if (status, answer) != (200, wanted):
        raise Unexpected(f"a good request got {status} {answer!r}")


def main() -> int:
    """Fuzz for a while; print what was sent, by protocol and status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # an unexpected error is found by its status
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def start() -> tuple[Service, bytes]:
        service = Service()
        return service, (await service.post("/predict", {}, json.dumps({"rows": [ROW]}).encode()))[1]

    service, wanted = loop.run_until_complete(start())
    for seed in SEEDS:  # a seed that is rejected would teach nothing
        loop.run_until_complete(send(service, seed, seed.body))
        assert statuses[seed.name, 200], f"{seed.name} is no good request"
    sent = 0
    ends = time.monotonic() + options.seconds

    def fuzz(data: bytes) -> None:
        nonlocal sent
        if time.monotonic() > ends:
            report()
            os._exit(0)  # libFuzzer would end without a word
        if not data:
            return
        seed = SEEDS[data[0] % len(SEEDS)]
        loop.run_until_complete(send(service, seed, data[1:]))
        sent += 1
        if sent % EVERY == 0:
            loop.run_until_complete(check_undisturbed(service, wanted))

    with tempfile.TemporaryDirectory() as corpus:
        for index, seed in enumerate(SEEDS):
            (Path(corpus) / seed.name).write_bytes(bytes([index]) + seed.body)
        arguments = [sys.argv[0], f"-max_total_time={options.seconds + GRACE_S}", "-max_len=65536", "-len_control=0"]
        atheris.Setup([*arguments, "-verbosity=0", corpus], fuzz)
        atheris.Fuzz()
    return 0


def report() -> None:
    """Print how many requests each protocol answered, by status."""
    print(f"{sum(statuses.values()):,} requests to {SCHEMA.name}, nothing unexpected")
    for (name, status), count in sorted(statuses.items()):
        print(f"  {name:16} {status} {count:10,}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
