"""Measures what logging rows adds to a request: `python -m ekiben.load_tests cost --log`.

One service answers the same requests without sockets, with the log off, off again, which shows the noise, and on, by
turns (`paired_cost`). The CPU time is that of all its threads: a slice ends once its thread has done what it was given,
and a turn once its rows are in a file.
"""

import tempfile
from pathlib import Path

import numpy as np

from ekiben.load_tests.cost.paired_cost import Way, compare, describe_turns, find_difference
from ekiben.load_tests.cost.request_cost import (
    LOADS,
    find_ask,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, PREDICT
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.dataplane import Dataplane
from ekiben.service.environment import read_settings
from ekiben.service.row_log.log import RowLog
from ekiben.service.row_log.logs import open_logs
from ekiben.service.settings import Settings

FORMATS = (PREDICT, OIP_BINARY)
SHARES = (0.0, 0.0, 0.1)
GOAL = 0.05
HEADER = """
| dialect | rows | together | off, CPU µs/req | off again | 10% logged | ≤ 5%? |
|---|--:|--:|--:|--:|--:|---|"""


class Logging(Way):
    """Log a share of the rows, none of them if that is 0."""

    def __init__(self, dataplane: Dataplane, model: PackedModel, settings: Settings, share: float) -> None:
        self._dataplane, self._model, self._share = dataplane, model, share
        self._folder = tempfile.TemporaryDirectory()
        self._settings = settings.model_copy(update={"log_sample": share, "log_folder": self._folder.name})
        self._log: RowLog | None = None

    async def begin(self) -> None:
        """Let the service log, into a file for each turn."""
        if self._share and self._log is None:
            self._log = open_logs(self._settings, self._model).rows
        self._dataplane.log_rows(self._log)

    async def end_slice(self) -> None:
        """Wait for what its thread does."""
        if self._log is not None:
            await self._log.rest()

    async def end_turn(self) -> None:
        """Write the file."""
        if self._log is not None:
            log, self._log = self._log, None
            await log.close()
            assert any(Path(self._folder.name).iterdir())


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without the log, and of how much more it costs with it."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure JSON's rows and binary columns with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden, dataplane = read_golden(model), start_dataplane(settings, model)
    routes = open_routes(settings, dataplane)
    ways = [Logging(dataplane, model, settings, share) for share in SHARES]
    print(f"\n{describe_turns(seconds)}\n{HEADER}")
    for request_format in FORMATS:
        for rows, together in LOADS:
            cases = [write_case(model.schema, golden, request_format, rows, first) for first in range(together)]
            off, again, on = (await compare(ways, find_ask(*routes, request_format), cases, seconds)).T
            more = find_difference(2 * on / (off + again))
            noise = find_difference(again / off)
            load = f"{request_format.name} | {rows} | {together} | {np.median(off):.1f} | {noise}"
            print(f"| {load} | {more} | {more.judge(GOAL)} |")
    dataplane.close()
