"""Loads a version beside the one that serves, in steps so short that no request waits for them.

What reads, digests or computes without Python's lock does so in a thread. What needs the lock runs on the event loop:
a thread would hold the loop as long, and longer where it loses its core meanwhile. In a turn of the loop steps run for
half a millisecond, or one for a little longer, and then the loader rests for as long: it takes half of the loop's time
at most.
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

TURN_S = {Step.BRIEF: 0.0005, Step.UNLOCKED: 0.02}  # after which no further step of that kind begins
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
    """Run steps, a few a turn of the event loop, and return what came of them; none follows if the caller gives up."""
    loop = asyncio.get_running_loop()
    following: Step | _Came[Result] = Step.BRIEF
    while not isinstance(following, _Came):
        began = time.perf_counter()
        if following is Step.BRIEF:
            following = _run(steps, following)
        else:
            following = await loop.run_in_executor(_thread.get(), _run, steps, following)
        await asyncio.sleep(min(time.perf_counter() - began, LONGEST_REST_S))
    return following.result


@dataclass(frozen=True)
class _Came(Generic[Result]):
    """What came of all steps: a future can't end with StopIteration."""

    result: Result


def _run(steps: Steps[Result], kind: Step) -> Step | _Came[Result]:
    """Run steps of a kind for their time; return what the one after them is like, or what came of all of them."""
    end = time.perf_counter() + TURN_S[kind]
    try:
        while (following := next(steps)) is kind and time.perf_counter() < end:
            pass
        return following
    except StopIteration as stopped:
        return _Came(stopped.value)
