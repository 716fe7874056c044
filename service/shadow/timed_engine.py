"""The challenger's engine as the queue sees it: it is timed, and never fails."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.comparison.parts import Timing
from ekiben.contract.encoding import Encoded
from ekiben.model.engine import Engine

logger = logging.getLogger("bentoml.service")


class TimedEngine:
    """Runs an engine; where that fails, the rows have no finite answer."""

    def __init__(self, engine: Engine, outputs: int) -> None:
        self.engine, self._outputs = engine, outputs
        self.timing = Timing()
        self._failed = False

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        """Return the answers, (rows, outputs)."""
        rows, started = len(encoded), time.perf_counter()
        try:
            answers = self.engine.run(encoded)
            if answers.shape != (rows, self._outputs):
                raise RuntimeError(f"the engine gave answers of shape {answers.shape} for {rows} rows")
        except Exception:  # the boundary: whatever is wrong with the challenger, the champion serves on
            if not self._failed:
                self._failed = True
                logger.exception("the challenger fails on rows: they are not compared")
            return np.full((rows, self._outputs), np.nan, np.float32)
        before = self.timing
        self.timing = Timing(
            rows=before.rows + rows,
            batches=before.batches + 1,
            seconds=before.seconds + time.perf_counter() - started,
        )
        return answers
