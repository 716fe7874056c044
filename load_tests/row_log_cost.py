"""Measures what logging rows adds to a request: `python -m ekiben.load_tests cost --log`.

One service answers the same requests without sockets, with the log off, off again, which shows the noise, and on, by
turns. The CPU time is that of all its threads, and a turn ends once its rows are written.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.monitoring_cost import describe
from ekiben.load_tests.request_cost import (
    LOADS,
    Ask,
    find_ask,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.dataplane import Dataplane
from ekiben.service.row_log.logs import open_logs
from ekiben.service.settings import Settings, read_settings

TURNS = 9
SHARES = (0.0, 0.0, 0.1, 1.0)
HEADER = """
| rows | together | off, CPU µs/req | off again | 10% logged | all logged |
|--:|--:|--:|--:|--:|--:|"""


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without the log, and of how much more it costs with it."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure /predict with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden, dataplane = read_golden(model), start_dataplane(settings, model)
    ask = find_ask(*open_routes(settings, dataplane), PREDICT)
    print(f"\n{describe_machine()}; {TURNS} turns of {seconds:g} s; median (quartiles)\n{HEADER}")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        costs_us: list[list[float]] = [[] for _ in SHARES]
        for turn in range(TURNS):
            for index in np.roll(range(len(SHARES)), turn):
                costs_us[index].append(
                    await measure_turn(dataplane, model, settings, SHARES[index], ask, cases, seconds)
                )
        off, *others = np.array(costs_us)
        print(f"| {rows} | {together} | {np.median(off):.1f} | {' | '.join(describe(one / off) for one in others)} |")
    dataplane.close()


async def measure_turn(
    dataplane: Dataplane, model: PackedModel, settings: Settings, share: float, ask: Ask, cases: list[RequestCase],
    seconds: float,
) -> float:  # fmt: skip
    """Return the CPU µs of a request, of those that arrive together, with that share of rows logged."""
    with tempfile.TemporaryDirectory() as folder:
        logs = open_logs(settings.model_copy(update={"log_sample": share, "log_folder": folder}), model)
        dataplane.row_log = logs.rows
        await asyncio.gather(*map(ask, cases))
        count, began = 0, time.process_time()
        while not count or time.process_time() - began < seconds:
            await asyncio.gather(*map(ask, cases))
            count += len(cases)
        await logs.close_rows()
        cost_us = 1e6 * (time.process_time() - began) / count
        assert not share or any(Path(folder).iterdir())
    return cost_us
