"""A report of drift as JSON."""

import math
from typing import Any

from ekiben.contract.reference.alarms.alarm_text import list_findings
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.drift import DriftReport, Shift


def to_json(report: DriftReport, alarms: AlarmReport) -> dict[str, Any]:
    """Return the reports as JSON will hold them; features stand in the order of their rank."""
    snapshot = report.snapshot
    return {
        "model": snapshot.model,
        "version": snapshot.version,
        "reference": snapshot.reference,
        "rows": snapshot.rows,
        "counted": snapshot.counted,
        "rejected": snapshot.rejected,
        "alarms": list_findings(alarms),
        "answers": [_describe(shift) for shift in report.answers],
        "features": [_describe(shift) for shift in report.features],
    }


def _describe(shift: Shift) -> dict[str, Any]:
    return {
        "name": shift.then.name,
        "verdict": shift.verdict,
        "psi": shift.psi,
        "chance": shift.chance if math.isfinite(shift.chance) else None,  # JSON has no infinity
        "expected_change": shift.expected_change,
        "bins": shift.then.labels,
        "then": shift.then.counts,
        "now": shift.now.counts,
    }
