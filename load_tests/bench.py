"""Measures the service beside its baseline and its floor, in one run on one machine: `make bench`.

Every server is up at the same time and they are loaded in turn, round after round, so that what
the machine does otherwise hits all of them alike; shown are medians over the rounds.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
from tqdm import tqdm

from contract.errors import UserError
from load_tests.wrk import Measured, family, find_wrk, measure, memory_mib
from service.model import GOLDEN_FILE, find_model
from service.settings import read_settings

START_TIMEOUT_S = 60
FIRST_PORT = 18100
GRPC_OFFSET = 100
BODIES = 200  # different ones, so that no answer is asked for twice in a row
LOADS = [(1, connections) for connections in (1, 8, 64, 256)] + [(64, 16)]  # (rows a request, connections)


@dataclass(frozen=True)
class Peer:
    """A server to measure: its name in the table, what starts it on a port, and the body it wants."""

    name: str
    command: tuple[str, ...]
    body: Callable[[list[object]], object] = lambda rows: {"rows": rows}


PEERS = (
    Peer("BentoML batchable, bare list", ("bentoml", "serve", "load_tests.peers.batchable:Bare", "--port"), list),
    Peer("BentoML batchable", ("bentoml", "serve", "load_tests.peers.batchable:Named", "--port")),
    Peer("**Ekiben**", ("bentoml", "serve", "--port")),
    Peer("floor", ("load_tests.peers.floor",)),
)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    peer: Peer
    url: str
    process: psutil.Process
    start_s: float  # from its start to its first correct answer


def main() -> int:
    """Measure, and print a Markdown table."""
    options = parse()
    try:
        find_wrk()
        model = find_model(read_settings().model_name)
        golden = json.loads((Path(model.path) / GOLDEN_FILE).read_text(encoding="utf-8"))
        bench(golden["rows"], options.seconds, options.rounds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each load (default: %(default)s)")
    options = parser.parse_args()
    if min(options.seconds, options.rounds) < 1:
        parser.error("--seconds and --rounds: expected numbers above 0")
    return options


def bench(rows: list[object], seconds: int, rounds: int) -> None:
    """Start every server, load them in turn, print what was measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(start(peer, FIRST_PORT + place, rows[:1], folder)) for place, peer in enumerate(PEERS)
        ]
        results: dict[tuple[int, int, str], list[Measured]] = {}
        plan = [(size, connections, s) for size, connections in LOADS for _ in range(rounds) for s in servers]
        for size, connections, server in tqdm(plan, desc="measuring", unit="run"):
            bodies = write_bodies(folder / "bodies.jsonl", server.peer, rows, size)
            measured = measure(server.url, server.process, connections, seconds, bodies)
            results.setdefault((size, connections, server.peer.name), []).append(measured)
        report(servers, results)


@contextmanager
def start(peer: Peer, port: int, rows: list[object], folder: Path) -> Iterator[Running]:
    """Start a server and wait for its first answer; stop it at the end."""
    log = folder / f"{port}.log"
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *peer.command, str(port)],
            stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"DRAIN_DELAY_S": "0", "GRPC_PORT": str(port + GRPC_OFFSET)},
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/predict"
        body = json.dumps(peer.body(rows)).encode()
        while not answers(url, body):
            if process.poll() is not None or time.perf_counter() - began > START_TIMEOUT_S:
                raise UserError(f"{peer.name} did not start: {log.read_text()[-500:]}")
            time.sleep(0.02)
        yield Running(peer, url, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def answers(url: str, body: bytes) -> bool:
    """Return whether the server gives an answer to this body."""
    try:
        with urlopen(Request(url, body, {"content-type": "application/json"}), timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def write_bodies(path: Path, peer: Peer, rows: list[object], size: int) -> Path:
    """Write request bodies of that many rows, one a line, each beginning with another row."""
    wanted = [[rows[(start + place) % len(rows)] for place in range(size)] for start in range(BODIES)]
    path.write_text("".join(json.dumps(peer.body(body)) + "\n" for body in wanted), encoding="utf-8")
    return path


def report(servers: list[Running], results: dict[tuple[int, int, str], list[Measured]]) -> None:
    """Print the medians, and how far the rounds lay apart."""
    print(f"\n{describe_machine()}\n")
    print("| rows | connections | server | req/s | rows/s | p50 ms | p99 ms | CPU µs/req | (min-max) | errors |")
    print("|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for (size, connections, name), runs in results.items():
        rate, cpu = median(r.requests_per_s for r in runs), [r.cpu_us for r in runs]
        p50, p99 = median(r.p50_ms for r in runs), median(r.p99_ms for r in runs)
        print(
            f"| {size} | {connections} | {name} | {rate:,.0f} | {size * rate:,.0f} | {p50:.2f} | {p99:.2f} "
            f"| {median(cpu):.0f} | {min(cpu):.0f}-{max(cpu):.0f} | {sum(r.errors for r in runs)} |"
        )
    print("\n| server | start to first answer, s | resident after the load, MiB | TensorFlow loaded |")
    print("|---|--:|--:|---|")
    for server in servers:
        loaded = "yes" if uses_tensorflow(server.process) else "no"
        print(f"| {server.peer.name} | {server.start_s:.1f} | {memory_mib(server.process):.0f} | {loaded} |")


def describe_machine() -> str:
    """Return the date, the processor and the versions a number was measured with."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.machine())
    cores = psutil.cpu_count()
    return (
        f"{date.today()}, {processor}, {cores} cores shared with the load generator, Python {platform.python_version()}"
    )


def uses_tensorflow(server: psutil.Process) -> bool:
    """Return whether any of the server's processes has TensorFlow's library mapped."""
    return any("libtensorflow" in mapped.path for process in family(server) for mapped in process.memory_maps())


if __name__ == "__main__":
    sys.exit(main())
