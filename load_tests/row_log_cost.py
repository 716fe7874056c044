"""Measures what the row log costs: `ekiben cost --log`.

The same requests are answered without sockets as in `ekiben cost`, with the log off and on by turns: the CPU time is
that of all threads, and each turn ends once its rows are written.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

import uvloop

from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.request_cost import LOADS, WARM_UP, Ask, find_ask
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.engine import load_engine
from ekiben.model.golden import Golden
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, SAVED_MODEL_FOLDER
from ekiben.model.store import find_model, open_stored
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.router import Router
from ekiben.service.lifecycle.memory import GARBAGE_OBJECTS
from ekiben.service.protocols import PROTOCOLS
from ekiben.service.protocols.mounting import mount
from ekiben.service.row_log.logs import open_logs
from ekiben.service.settings import read_settings

SHARES = (0.0, 0.1, 1.0)
TURNS = 9


def run(seconds: float) -> int:
    """Print a Markdown table of the CPU time of a request by the share of rows that are logged."""
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure_all(seconds, Path(folder)))
    return 0


async def measure_all(seconds: float, folder: Path) -> None:
    """Measure /predict with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = Golden.model_validate_json((model.path / GOLDEN_FILE).read_bytes())
    engine = load_engine(model.manifest.engine, model.path / LITERT_FILE, model.path / SAVED_MODEL_FOLDER)
    dataplane = Dataplane(model, engine, settings.max_waiting_rows, settings.max_request_rows)
    router = Router()
    mount(router, [build(dataplane, settings) for build in PROTOCOLS], settings)
    ask = find_ask(router, {}, PREDICT)
    print(f"\n{describe_machine()}; without sockets\n")
    print("| rows | together | logged | CPU µs/req | more |\n|--:|--:|--:|--:|--:|")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        costs: dict[float, list[float]] = {share: [] for share in SHARES}
        for _ in range(TURNS):
            for share in SHARES:
                chosen = settings.model_copy(update={"log_sample": share, "log_folder": str(folder)})
                logs = open_logs(chosen, model)
                dataplane.row_log = logs.rows
                costs[share].append(await measure_turn(ask, cases, seconds, logs.close))
        for share, turns in costs.items():
            more = median(one / without - 1 for one, without in zip(turns, costs[0.0], strict=True))
            print(f"| {rows} | {together} | {share:.0%} | {median(turns):.1f} | {more:+.1%} |")
    dataplane.close()


async def measure_turn(
    ask: Ask, cases: Sequence[RequestCase], seconds: float, close: Callable[[], Awaitable[None]]
) -> float:
    """Return the CPU µs of a request, of those that arrive together."""
    for _ in range(WARM_UP):
        await asyncio.gather(*map(ask, cases))
    count, ends, began = 0, time.monotonic() + seconds, time.process_time()
    while time.monotonic() < ends:
        await asyncio.gather(*map(ask, cases))
        count += len(cases)
    await close()
    return 1e6 * (time.process_time() - began) / count
