"""Which models fit into a worker: by their number, and by the memory that each was measured to take.

The bounds are of models that answer. While one is loaded there is one more, never two, and fewer bodies.
"""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from ekiben.model.package import LITERT_FILE, PackedModel
from ekiben.service.connections.byte_budget import EXPANSION, ByteBudget, find_byte_limit
from ekiben.service.lifecycle.resource_limits import MIB, MODEL_MIB, WORKER_MIB, Limits, find_supervisor_mib
from ekiben.service.settings import Settings


class Room:
    """The memory of a worker's models besides the first, which is part of what any worker takes."""

    def __init__(self, settings: Settings, limits: Limits, engine: str, budget: ByteBudget) -> None:
        """`budget`: of bodies, which get the memory that models leave."""
        self._settings, self._limits, self._engine, self._budget = settings, limits, engine, budget
        self._max_bytes = settings.models_mib * MIB or find_model_bytes(settings, limits, engine)
        self._bytes: dict[str, int] = {}

    def find_lack(self, without: Collection[str] = ()) -> str:
        """Return why one model more does not fit, "" if it does: it is taken to be as large as the largest.

        `without`: models that end for it.
        """
        left = {name: taken for name, taken in self._bytes.items() if name not in without}
        if len(left) + 1 >= self._settings.max_models:
            return f"MAX_MODELS={self._settings.max_models} models are served"
        taken = sum(left.values())
        needed = max(left.values(), default=MODEL_MIB[self._engine] * MIB)
        if taken + needed > self._max_bytes:
            given = f"{self._max_bytes / MIB:.0f} MiB for models besides the first"
            return f"of {given} {taken / MIB:.0f} are taken, and one more may need {needed / MIB:.0f}"
        return ""

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Let bodies leave the memory of one more model meanwhile."""
        self._share(extra=1)
        try:
            yield
        finally:
            self._share()

    def take(self, model: PackedModel, grown_bytes: int) -> None:
        """Count a model: what the process has grown by, but no less than the network that it keeps in memory.

        What others ask meanwhile may let the process shrink.
        """
        litert = model.path / LITERT_FILE
        self._bytes[model.name] = max(grown_bytes, litert.stat().st_size if litert.exists() else 0)
        self._share()

    def give(self, name: str) -> None:
        """Count a model no more."""
        self._bytes.pop(name, None)
        self._share()

    def _share(self, extra: int = 0) -> None:
        """Leave to bodies what models don't take."""
        self._budget.limit = find_byte_limit(
            self._limits,
            self._settings.workers,
            self._engine,
            self._settings.max_body_bytes,
            1 + len(self._bytes) + extra,
        )


def find_model_bytes(settings: Settings, limits: Limits, engine: str) -> float:
    """Return what a container leaves to models besides the first, with room for one body of the largest size."""
    if limits.memory_bytes is None:
        return math.inf
    worker = (limits.memory_bytes - find_supervisor_mib() * MIB) // settings.workers
    return max(worker - WORKER_MIB[engine] * MIB - EXPANSION * settings.max_body_bytes, 0)
