"""`ekiben drift`: what many services saw, together, beside what training saw."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ekiben.contract.reference.drift import DriftReport, Shift, report_drift
from ekiben.contract.reference.drift_page import render_page
from ekiben.contract.reference.drift_text import render_text
from ekiben.contract.reference.snapshot import merge_snapshots
from ekiben.monitoring.sources import find_reference, read_snapshots

Format = Literal["text", "html", "json"]


def compare_sources(sources: Sequence[str], reference_file: Path | None = None) -> DriftReport:
    """Add up the snapshots of services and files, and compare the sum with training.

    Raises a UserError if one can't be read, or is of another model.
    """
    snapshots = read_snapshots(sources)
    merged = merge_snapshots(snapshots)
    reference = find_reference(snapshots, reference_file)
    for source, snapshot in snapshots.items():
        snapshot.check(reference, source)
    return report_drift(reference, merged)


def render(report: DriftReport, form: Format) -> str:
    """Return the report in one of its forms."""
    if form == "html":
        return render_page(report)
    return json.dumps(to_json(report), indent=1, ensure_ascii=False) if form == "json" else render_text(report)


def to_json(report: DriftReport) -> dict[str, Any]:
    """Return the report as JSON will hold it; features stand in the order of their rank."""
    snapshot = report.snapshot
    return {
        "model": snapshot.model,
        "version": snapshot.version,
        "reference": snapshot.reference,
        "rows": snapshot.rows,
        "counted": snapshot.counted,
        "rejected": snapshot.rejected,
        "answers": [_describe(shift) for shift in report.answers],
        "features": [_describe(shift) for shift in report.features],
    }


def _describe(shift: Shift) -> dict[str, Any]:
    return {
        "name": shift.then.name,
        "verdict": shift.verdict,
        "psi": shift.psi,
        "chance": shift.chance,
        "expected_change": shift.expected_change,
        "bins": shift.then.labels,
        "then": shift.then.counts,
        "now": shift.now.counts,
    }
