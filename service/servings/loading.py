"""Loads a version beside the one that serves, in steps so short that no request waits for them.

What reads, digests or computes without Python's lock does so in a thread. What needs the lock runs on the event loop:
a thread would hold the loop as long, and longer where it loses its core meanwhile. One step runs in a turn of the loop,
a millisecond or so, and after each the loader rests for as long: it takes half of the loop's time at most.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from ekiben.model.engine import Engine
from ekiben.model.package import PackedModel, open_model_in_steps
from ekiben.model.steps import Result, Step, Steps
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.warm_up import measure_cost
from ekiben.service.loop_local import LoopLocal

LONGEST_REST_S = 0.05  # after a step that took long, such as TensorFlow's load
_thread = LoopLocal(lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader"))


async def open_model_gently(path: Path, digest: str) -> PackedModel:
    """Do what `open_model` does, and raise what it raises, while requests are answered."""
    return await drive(open_model_in_steps(path, digest))


async def load_engine_gently(model: PackedModel) -> Engine:
    """Do what `PackedModel.start_engine` does, and raise what it raises, while requests are answered."""
    return await drive(model.start_engine_in_steps())


async def measure_cost_gently(engine: Engine, model: PackedModel) -> CostModel:
    """Return what the batches of a new engine cost, measured while requests are answered."""
    return await drive(measure_cost(engine, model.schema))


async def drive(steps: Steps[Result]) -> Result:
    """Run steps, one a turn of the event loop, and return what came of them; none follows once the caller gives up."""
    loop = asyncio.get_running_loop()
    following: Step | _Came[Result] = Step.BRIEF
    while not isinstance(following, _Came):
        began = time.perf_counter()
        if following is Step.BRIEF:
            following = _run(steps)
        else:
            following = await loop.run_in_executor(_thread.get(), _run, steps)
        await asyncio.sleep(min(time.perf_counter() - began, LONGEST_REST_S))
    return following.result


@dataclass(frozen=True)
class _Came(Generic[Result]):
    """What came of all steps: a future can't end with StopIteration."""

    result: Result


def _run(steps: Steps[Result]) -> Step | _Came[Result]:
    """Run the next step; return what the one after it is like, or what came of all of them."""
    try:
        return next(steps)
    except StopIteration as stopped:
        return _Came(stopped.value)
