"""Measures what an explanation costs: `ekiben explanations`.

The CPU time is that of one row's `/explain` without sockets, in all threads of this process, with one asked at a time
and with several together: as it comes, and with pairs until it is settled.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ekiben.contract.explanation.explaining import MAX_PAIRS
from ekiben.load_tests.cost.request_cost import (
    Ask,
    find_ask,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import RequestFormat, encode_rows
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings

GOAL_US = 2000
ROWS = 64  # different ones
TOGETHER = (1, 16)


def read_explained(answer: bytes, output: str) -> list[float]:
    """Read the predictions in explanations."""
    return [row["prediction"][output] for row in json.loads(answer)["explanations"]]


EXPLAIN = RequestFormat("/explain", "/explain", encode_rows, read_explained)


def run(seconds: float) -> None:
    """Print a Markdown table of the CPU time of explanations."""
    run_as_service(measure_all(seconds))


async def measure_all(seconds: float) -> None:
    """Measure with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden, dataplane = read_golden(model), start_dataplane(settings, model)
    ask = find_ask(*open_routes(settings, dataplane), EXPLAIN)
    print(f"\n{describe_machine()}; {len(model.schema.features)} features, without sockets\n")
    print("| | asked together | pairs | CPU µs | ≤ 2 ms? |\n|---|--:|--:|--:|---|")
    for label, path in (("by default", EXPLAIN.path), ("until settled", f"{EXPLAIN.path}?pairs={MAX_PAIRS}")):
        asked = replace(EXPLAIN, path=path)
        cases = [write_case(model.schema, golden, asked, 1, first) for first in range(ROWS)]
        for together in TOGETHER:
            cost_us = await measure_groups(ask, cases, together, seconds)
            pairs = np.mean([await count_pairs(ask, case) for case in cases])
            print(f"| {label} | {together} | {pairs:.1f} | {cost_us:.0f} | {'yes' if cost_us <= GOAL_US else 'no'} |")
    dataplane.close()


async def measure_groups(ask: Ask, cases: Sequence[RequestCase], together: int, seconds: float) -> float:
    """Return the CPU µs of an explanation in the cheapest round of all cases, of which so many are asked together."""
    groups = [list(cases[first : first + together]) for first in range(0, len(cases), together)]
    costs: list[float] = []
    ends = time.perf_counter() + seconds
    while len(costs) <= 1 or time.perf_counter() < ends:  # what else the machine does makes a round dearer
        began = time.process_time()
        for group in groups:
            for case, answer in zip(group, await asyncio.gather(*map(ask, group)), strict=True):
                assert case.is_answered_by(answer), answer
        costs.append(1e6 * (time.process_time() - began) / len(cases))
    return min(costs)


async def count_pairs(ask: Ask, case: RequestCase) -> int:
    """Return of how many pairs a case's explanation is."""
    return int(json.loads(await ask(case))["explanations"][0]["pairs"])
