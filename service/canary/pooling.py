"""Adds up what the workers of a service have counted of one canary."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ekiben.service.canary.loss import Losses
from ekiben.service.canary.state import CanaryState
from ekiben.service.canary.tally import Tally
from ekiben.service.lifecycle.exchange import Exchange

FRESH_S = 15.0  # without a word a worker judges no more: the next one does


@dataclass
class Pool:
    """What all workers have counted."""

    tally: Tally
    losses: Losses
    judging: bool  # whether it is for this worker to judge: the first of those that live
    report: list[dict[str, Any]]  # of the worker that judges, if it is another


class Pooling:
    """Publishes one worker's counts of a model's canary in the folder, and reads the others'."""

    def __init__(self, model: str, folder: Path | None) -> None:
        """Take the folder that the workers share, None if there is only one."""
        self._exchange = Exchange(folder, f"canary_{model}") if folder else None

    def exchange(self, state: CanaryState, tally: Tally, losses: Losses, report: list[dict[str, Any]]) -> Pool:
        """Publish these counts and return the sum with all others of the same canary, losses at the same share."""
        pool = Pool(tally, losses, True, [])
        if self._exchange is None:
            return pool
        content = {
            "began": state.began, "changed": state.changed, "now": time.time(),
            "tally": tally.ravel().tolist(), "losses": losses.ravel().tolist(), "report": report,
        }  # fmt: skip
        self._exchange.write(orjson.dumps(content))
        for process, published in self._read_others(self._exchange):
            if published["began"] != state.began or len(published["tally"]) != tally.size:
                continue
            pool.tally = pool.tally + np.reshape(published["tally"], tally.shape)
            if published["changed"] == state.changed:
                pool.losses = pool.losses + np.reshape(published["losses"], losses.shape)
            if process < self._exchange.process and time.time() - published["now"] < FRESH_S:
                pool.judging, pool.report = False, published["report"] or pool.report
        return pool

    def _read_others(self, exchange: Exchange) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what other workers of this model have published; what those counted that have ended still counts."""
        for process, content in exchange.read_others():
            with contextlib.suppress(ValueError):  # it is damaged
                yield process, orjson.loads(content)
