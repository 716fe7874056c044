"""Tries out a new engine, so that its first callers find known what a batch costs."""

import time

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.schema import Schema
from ekiben.model.engine import Engine
from ekiben.model.steps import Step, Steps
from ekiben.service.batching.cost_model import CostModel

SIZES = (1, 8, 64, 512)  # for which the engine prepares itself first; that is no part of the cost
TIMES = 3  # that each is measured; the cheapest counts, as whatever else the machine does only ever adds to it


def measure_cost(engine: Engine, schema: Schema) -> Steps[CostModel]:
    """Return what batches cost, after running some of several sizes, one a step."""
    yield Step.BRIEF
    example, cost = Encoder(schema).encode_rows([schema.example]), CostModel()
    batches = {rows: Encoded(example.numbers.repeat(rows, 0), example.codes.repeat(rows, 0)) for rows in SIZES}
    for rows in SIZES:
        yield Step.UNLOCKED
        engine.run(batches[rows])
    for rows in SIZES:
        taken_s = []
        for _ in range(TIMES):
            yield Step.UNLOCKED
            started = time.perf_counter()
            engine.run(batches[rows])
            taken_s.append(time.perf_counter() - started)
        cost.observe(rows, min(taken_s))
    return cost
