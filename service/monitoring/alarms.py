"""The alarms of the last whole days, of all workers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.alarms.judging import JUDGED, report_alarms
from ekiben.contract.reference.reference import Reference
from ekiben.service.monitoring.overview import Overview

KEPT_S = 60.0  # days that are over don't change, and workers publish megabytes of windows


class DailyAlarms:
    """Judges when somebody asks, but not more often than once a minute."""

    def __init__(self, overview: Overview, reference: Reference, false_alarms: float) -> None:
        self._overview, self._reference, self._false_alarms = overview, reference, false_alarms
        self._report = AlarmReport()
        self._judged = -KEPT_S

    def prepare(self) -> Callable[[], AlarmReport]:
        """Take a snapshot, on the event loop, and return what judges it, anywhere."""
        if time.monotonic() - self._judged < KEPT_S:
            report = self._report
            return lambda: report
        snapshot = self._overview.snapshot("days", JUDGED + 1)  # with today, which is not over

        def judge() -> AlarmReport:
            self._report = report_alarms(self._reference, snapshot, datetime.now(UTC), self._false_alarms)
            self._judged = time.monotonic()
            return self._report

        return judge
