"""Says in the log that the service was asked to stop, what is left to do, and how it ended."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger("bentoml.service")


class Leaving:
    """The end of a worker; `count_requests` and `count_rows` return what still waits for an answer."""

    def __init__(self, count_requests: Callable[[], int], count_rows: Callable[[], int]) -> None:
        self._count_requests, self._count_rows = count_requests, count_rows
        self._began: float | None = None

    def begin(self, delay_s: float) -> None:
        """Say what is left as the service is asked to stop."""
        self._began = time.monotonic()
        requests, rows = self._count_requests(), self._count_rows()
        sentence = "SIGTERM: answering for %g s more, %d requests and %d rows are waiting"
        fields = {"left_s": delay_s, "waiting_requests": requests, "waiting_rows": rows}
        logger.info(sentence, delay_s, requests, rows, extra={"fields": fields})

    def end(self) -> None:
        """Say how it ended, once there will be no more answers."""
        after = "stopped" if self._began is None else f"stopped after {time.monotonic() - self._began:.1f} s"
        lost = self._count_requests()
        fields = {"lost_requests": lost}
        if lost:
            logger.warning("%s, %d requests got no answer", after, lost, extra={"fields": fields})
        else:
            logger.info("%s, nothing lost", after, extra={"fields": fields})
