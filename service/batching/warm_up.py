"""Tries out a new engine, so that its first callers find known what a batch costs."""

import time

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.schema import Schema
from ekiben.model.engine import Engine
from ekiben.model.steps import Step, Steps
from ekiben.service.batching.cost_model import CostModel

SIZES = (1, 8, 64, 512)  # for which the engine prepares itself first; that is no part of the cost
MEASURED = (1, 8, 64, 512, 1, 64, 512)


def measure_cost(engine: Engine, schema: Schema) -> Steps[CostModel]:
    """Return what batches cost, after running some of several sizes, one a step."""
    yield Step.BRIEF
    example, cost = Encoder(schema).encode_rows([schema.example]), CostModel()
    batches = {rows: Encoded(example.numbers.repeat(rows, 0), example.codes.repeat(rows, 0)) for rows in SIZES}
    for rows in SIZES:
        yield Step.UNLOCKED
        engine.run(batches[rows])
    for rows in MEASURED:
        yield Step.UNLOCKED
        started = time.perf_counter()
        engine.run(batches[rows])
        cost.observe(rows, time.perf_counter() - started)
    return cost
