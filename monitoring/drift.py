"""`ekiben drift`: what many services saw, together, beside what training saw."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.alarms.judging import report_alarms
from ekiben.contract.reference.alarms.setting import FALSE_ALARMS
from ekiben.contract.reference.drift import DriftReport, report_drift
from ekiben.contract.reference.drift_json import to_json
from ekiben.contract.reference.drift_page import render_page
from ekiben.contract.reference.drift_text import render_text
from ekiben.contract.reference.reference import Reference
from ekiben.contract.reference.snapshot import Snapshot, merge_snapshots
from ekiben.monitoring.sources import add_days, find_reference, read_snapshots

Format = Literal["text", "html", "json"]


def compare_sources(sources: Sequence[str], reference_file: Path | None = None) -> DriftReport:
    """Add up the snapshots of services and files, and compare the sum with training.

    Raises a UserError if one can't be read, or is of another model.
    """
    return report_drift(*_read(sources, reference_file))


def judge_sources(
    sources: Sequence[str], reference_file: Path | None = None, false_alarms: float = FALSE_ALARMS
) -> AlarmReport:
    """Judge the last whole days of services, which are asked for all they have, and of files.

    Raises a UserError as `compare_sources` does.
    """
    reference, merged = _read([add_days(source) for source in sources], reference_file)
    return report_alarms(reference, merged, datetime.now(UTC), false_alarms)


def render(report: DriftReport, alarms: AlarmReport, form: Format) -> str:
    """Return both reports in one of their forms."""
    if form == "html":
        return render_page(report, alarms)
    if form == "json":
        return json.dumps(to_json(report, alarms), indent=1, ensure_ascii=False)
    return render_text(report, alarms)


def _read(sources: Sequence[str], reference_file: Path | None) -> tuple[Reference, Snapshot]:
    """Return all windows, and the reference they were counted in."""
    snapshots = read_snapshots(sources)
    merged = merge_snapshots(snapshots)
    reference = find_reference(snapshots, reference_file)
    for source, snapshot in snapshots.items():
        snapshot.check(reference, source)
    return reference, merged
