"""Adds up what the workers of a service have counted of one canary."""

import logging
import os
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
from ekiben.service.lifecycle.worker_files import list_files
from ekiben.service.telemetry.metric_inheritance import is_dead

logger = logging.getLogger("bentoml.service")
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
        self._folder = folder
        self._kind = f"canary_{model}"
        self._complained = False

    def exchange(self, state: CanaryState, tally: Tally, losses: Losses, report: list[dict[str, Any]]) -> Pool:
        """Publish these counts and return the sum with all others of the same canary, losses at the same share."""
        pool = Pool(tally, losses, True, [])
        if self._folder is None:
            return pool
        self._publish(self._folder, state, tally, losses, report)
        own = os.getpid()
        for process, published in self._read_others(self._folder):
            if published["began"] != state.began or len(published["tally"]) != tally.size:
                continue
            pool.tally = pool.tally + np.reshape(published["tally"], tally.shape)
            if published["changed"] == state.changed:
                pool.losses = pool.losses + np.reshape(published["losses"], losses.shape)
            if process < own and time.time() - published["now"] < FRESH_S:
                pool.judging, pool.report = False, published["report"] or pool.report
        return pool

    def _publish(
        self, folder: Path, state: CanaryState, tally: Tally, losses: Losses, report: list[dict[str, Any]]
    ) -> None:
        path = folder / f"{self._kind}_{os.getpid()}.json"
        content = {
            "began": state.began, "changed": state.changed, "now": time.time(),
            "tally": tally.ravel().tolist(), "losses": losses.ravel().tolist(), "report": report,
        }  # fmt: skip
        try:
            path.with_suffix(".part").write_bytes(orjson.dumps(content))
            path.with_suffix(".part").replace(path)
        except OSError as error:
            if not self._complained:
                logger.warning(
                    "%s can't be written (%s): the canary is judged without this worker", path, error.strerror
                )
            self._complained = True

    def _read_others(self, folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what other workers of this model have published; what those counted that have ended still counts."""
        for process, path in list_files(folder, self._kind):
            if process == os.getpid():
                continue
            try:
                yield process, orjson.loads(path.read_bytes())
            except (OSError, ValueError):
                continue  # it is just being removed

    def forget(self) -> None:
        """Remove what this worker and those that have ended published of the canary before."""
        for process, path in list_files(self._folder, self._kind):
            if is_dead(path) or process == os.getpid():
                path.unlink(missing_ok=True)
