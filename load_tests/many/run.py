"""Measures many models in one service beside a service with one: `python -m ekiben.load_tests models`.

Both services are up at the same time and are loaded in turn, round after round, so that what the machine does otherwise
hits both alike; shown are medians over the rounds. The models are copies of the packed one under other names: as many
networks, schemas, queues and monitors as different models would be.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from ekiben.load_tests.comparison import wrk
from ekiben.load_tests.cost.request_cost import read_golden
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.many.copies import copy_model
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.load_tests.servers.process import Measured, family, memory_mib, private_and_shared_mib
from ekiben.load_tests.servers.start import EKIBEN, Running, start
from ekiben.model.golden import Golden
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings
from ekiben.service.protocols.predict import NAMED_PATH

BODIES = 200  # different ones, so that no answer is asked for twice in a row
CONNECTIONS = (1, 64)
ALONE, ONE, ALL = "one model", "one is asked", "all are asked"


@dataclass(frozen=True)
class Memory:
    """What a service's processes have, MiB."""

    resident: float
    proportional: float  # a page that they share counts once
    worker: float


def run(count: int, port: int, seconds: int, rounds: int) -> int:
    """Start both services, load them in turn, and print Markdown tables of what was measured."""
    wrk.find_wrk()
    model = open_stored(find_model(read_settings().model_name))
    golden = read_golden(model)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [f"country_{index:03}" for index in range(count)]
        copy_model(model, folder / "bentoml", names)
        alone = stack.enter_context(serve(folder, port, names[0], model, golden))
        many = stack.enter_context(serve(folder, port + 1, "country_*", model, golden))
        started = [read_memory(one) for one in (alone, many)]
        # Of the many the last in the list is asked: where it stands is not to matter.
        loads = {ALONE: (alone, names[:1]), ONE: (many, names[-1:]), ALL: (many, names)}
        measured = measure(loads, model, golden, folder, seconds, rounds)
        loaded = [read_memory(one) for one in (alone, many)]
    print(f"\n{describe_machine()}; medians of {rounds} rounds of {seconds} s\n")
    print(f"| | 1 model | {count} models |\n|---|--:|--:|")
    print(f"| start, s | {alone.start_s:.1f} | {many.start_s:.1f} |")
    for label, memories in (("at start", started), ("after the load", loaded)):
        row = " | ".join(f"{one.resident:.0f}, {one.proportional:.0f}, {one.worker:.0f}" for one in memories)
        print(f"| resident MiB {label}: all processes, shared pages once, worker | {row} |")
    each = (loaded[1].proportional - loaded[0].proportional) / max(count - 1, 1)
    print(f"| MiB for each further model | | {each:.1f} |")
    print_loads(measured)
    return 0


def serve(folder: Path, port: int, names: str, model: PackedModel, golden: Golden) -> AbstractContextManager[Running]:
    """Start a service with models of the temporary store."""
    settings = {"MODEL_NAME": names, "BENTOML_HOME": str(folder / "bentoml")}
    return start(EKIBEN, port, write_case(model.schema, golden, PREDICT, 1), folder, settings)


def read_memory(server: Running) -> Memory:
    """Return what a service's processes have."""
    worker = max(process.memory_info().rss for process in family(server.process)[1:])
    return Memory(memory_mib(server.process), private_and_shared_mib(server.process), worker / 2**20)


def measure(
    loads: Mapping[str, tuple[Running, Sequence[str]]], model: PackedModel, golden: Golden, folder: Path,
    seconds: int, rounds: int,
) -> dict[tuple[str, int], list[Measured]]:  # fmt: skip
    """Load the services in turn; raise UserError unless their answers are right before and after."""
    results: dict[tuple[str, int], list[Measured]] = {}
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for label, (server, names) in loads.items():
                cases = [ask_for(names[first % len(names)], model, golden, first) for first in range(BODIES)]
                file = folder / "load"
                wrk.write_requests(file, [http_request(case.path, case.headers, case.body) for case in cases])
                server.check(cases[0])
                measured = wrk.measure(server.url(cases[0]), server.process, connections, seconds, file)
                server.check(cases[-1])
                results.setdefault((label, connections), []).append(measured)
    return results


def ask_for(name: str, model: PackedModel, golden: Golden, first: int) -> RequestCase:
    """Return a row for the model of that name."""
    schema = model.schema.model_copy(update={"name": name})
    return replace(write_case(schema, golden, PREDICT, 1, first), path=NAMED_PATH.format(model=name))


def print_loads(measured: Mapping[tuple[str, int], Sequence[Measured]]) -> None:
    """Print what was measured, a load a row."""
    print("\n| connections | | requests/s | p50 / p99 ms | CPU µs/request | errors |\n|--:|---|--:|--:|--:|--:|")
    for (label, connections), rounds in sorted(measured.items(), key=lambda item: item[0][1]):
        rate, p50, p99, cpu = (
            median(getattr(one, name) for one in rounds) for name in ("requests_per_s", "p50_ms", "p99_ms", "cpu_us")
        )
        errors = sum(one.errors for one in rounds)
        print(f"| {connections} | {label} | {rate:,.0f} | {p50:.2f} / {p99:.2f} | {cpu:.1f} | {errors} |")
