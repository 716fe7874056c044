"""An engine whose answers say which rows they are for, behind a dataplane in this process."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Category, Number
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import GOLDEN_FILE, SCHEMA_FILE, Manifest, PackedModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import Dataplane, Prediction

POISON = -666.0
SCHEMA = Schema(
    name="doubling",
    features=(
        Number(name="x", low=-1e6, high=1e6, example=1.0),
        Category(name="c", vocabulary=("a", "b"), example="a"),
    ),
    target=Target(name="y", classes=(False, True)),
)
MANIFEST = Manifest(
    name="doubling", version="1", run_id="r", engine="tensorflow", files={SCHEMA_FILE: "", GOLDEN_FILE: ""}
)


class Doubling:
    """An engine whose answer says which row it was for; it can be slow, fail, or cheat."""

    def __init__(self, seconds: float = 0.0, row_seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.row_seconds = row_seconds
        self.batches: list[int] = []
        self.order: list[Doubling] = []  # whose batches these were, if several engines share the list
        self.threads: list[threading.Thread] = []  # that the batches ran in
        self.gate: threading.Event | None = None
        self.short = False

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        self.batches.append(len(encoded))
        self.order.append(self)
        self.threads.append(threading.current_thread())
        if self.gate:
            self.gate.wait(timeout=60)
        time.sleep(self.seconds + self.row_seconds * len(encoded))
        if (encoded.numbers == POISON).any():
            raise ValueError("poison")
        answers = encoded.numbers * 2
        return answers[:-1] if self.short else answers


def rows(*numbers: float) -> list[Any]:
    return [{"x": float(number), "c": "a"} for number in numbers]


def start(
    engine: Doubling,
    max_waiting_rows: int = 10_000,
    reference: Reference | None = None,
    turns: EngineTurns | None = None,
) -> Dataplane:
    """Return a dataplane on this engine, whose batches so far were only to warm it up; the caller closes it."""
    model = PackedModel(path=None, schema=SCHEMA, manifest=MANIFEST)  # type: ignore[arg-type]
    dataplane = Dataplane(model, engine, max_waiting_rows, max_waiting_rows, reference=reference, turns=turns)
    engine.batches.clear()
    return dataplane


def serve(
    engine: Doubling,
    scenario: Callable[[Dataplane], Awaitable[None]],
    max_waiting_rows: int = 10_000,
    reference: Reference | None = None,
) -> None:
    """Run a scenario against a dataplane on this engine; afterwards nothing may be left in the queue."""

    async def main() -> None:
        dataplane = start(engine, max_waiting_rows, reference)
        try:
            async with asyncio.timeout(60):
                await scenario(dataplane)
        finally:
            dataplane.close()
        assert dataplane.queue.waiting_rows == 0

    asyncio.run(main())


async def ask(dataplane: Dataplane, asked: list[Any], timeout_s: float = 10.0) -> list[float]:
    prediction: Prediction = await dataplane.predict(asked, timeout_s, "test")
    answers: list[float] = prediction.answers[:, 0].tolist()
    return answers
