"""The alarms of the last whole days, of all workers."""

from collections.abc import Callable
from datetime import UTC, datetime

from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.alarms.judging import JUDGED, report_alarms
from ekiben.contract.reference.reference import Reference
from ekiben.service.monitoring.overview import Overview


def prepare_alarms(overview: Overview, reference: Reference, false_alarms: float) -> Callable[[], AlarmReport]:
    """Take a snapshot, on the event loop, and return what judges it, anywhere."""
    snapshot = overview.snapshot("days", JUDGED + 1)  # with today, which is not over
    return lambda: report_alarms(reference, snapshot, datetime.now(UTC), false_alarms)
