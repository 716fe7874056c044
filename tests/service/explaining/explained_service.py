"""A dataplane in this process whose rows can be explained; its engine can be slow, wait or fail."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.explanation.background_learning import learn_background
from ekiben.contract.schema import Schema
from ekiben.model.package import GOLDEN_FILE, SCHEMA_FILE, Manifest, PackedModel
from ekiben.service.dataplane import Dataplane
from tests.contract.explained_models import make_network, make_rows
from tests.every_kind import SCHEMA

TIMEOUT_S = 10.0


class Engine:
    """A small random network; it counts its rows, and can be slow or kept waiting."""

    def __init__(self, schema: Schema) -> None:
        self.network = make_network(schema)
        self.rows = 0
        self.seconds, self.slow_from = 0.0, 0  # what a batch takes once so many rows were answered
        self.gate: threading.Event | None = None

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        self.rows += len(encoded)
        if self.gate:
            self.gate.wait(timeout=TIMEOUT_S)
        if self.rows > self.slow_from:
            time.sleep(self.seconds)
        return self.network(encoded)


def pack(folder: Path, schema: Schema = SCHEMA, background: bool = True) -> tuple[PackedModel, Engine]:
    """Return a model with as much of a package as explanations need."""
    engine = Engine(schema)
    files = {SCHEMA_FILE: "", GOLDEN_FILE: ""}
    if background:
        learn_background(schema, make_rows(schema, 100, seed=2), engine.network).save(folder / BACKGROUND_FILE)
        files[BACKGROUND_FILE] = ""
    manifest = Manifest(name=schema.name, version="3", run_id="r", engine="tensorflow", files=files)
    return PackedModel(folder, schema, manifest), engine


def serve(
    folder: Path,
    scenario: Callable[[Dataplane, Engine], Awaitable[None]],
    schema: Schema = SCHEMA,
    background: bool = True,
    max_explanation_rows: int = 100_000,
) -> None:
    """Run a scenario; afterwards no explanation may have room."""

    async def main() -> None:
        model, engine = pack(folder, schema, background)
        dataplane = Dataplane(model, engine, 10_000, 10_000, max_explanation_rows=max_explanation_rows)
        engine.rows = 0
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                await scenario(dataplane, engine)
        finally:
            dataplane.close()
        assert dataplane.explanations.room.waiting_rows == 0

    asyncio.run(main())
