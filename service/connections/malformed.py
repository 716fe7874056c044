"""Counts what is not valid HTTP, and logs it at most once a minute: a flood of it must not fill the log."""

import logging
import time

from ekiben.service.connections.rejections import PROTOCOL
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
PERIOD_S = 60.0


class Malformed:
    """The requests that could not be parsed; belongs to one event loop."""

    def __init__(self) -> None:
        self._count = 0  # since the last line in the log
        self._logged_at = -PERIOD_S

    def count(self, status: int, reason: str, client: str) -> None:
        """Count a request and its answer; the reason must not hold what the client sent."""
        metrics.count_request(PROTOCOL, status, 0.0)
        self._count += 1
        now = time.monotonic()
        if now - self._logged_at < PERIOD_S:
            return
        logger.warning("%d invalid HTTP requests, the latest from %s: %s", self._count, client, reason)
        self._count, self._logged_at = 0, now
