"""What the gates decided on a version: in its provenance, and after packing in the pipeline's records."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ekiben.model.provenance import Provenance
from ekiben.pipeline.lineage.link import Link
from ekiben.training.home import find_data
from ekiben.training.wording import count


def list_gates(version: str, run_id: str, provenance: Provenance | None) -> Iterator[Link]:
    """Yield one link with every verdict, if there is any."""
    before = provenance.run.gates if provenance else ()
    said = dict.fromkeys(f"{gate.gate}: {gate.verdict}, {gate.sentence}" for gate in before)
    damaged = []
    for path in sorted(find_records().glob("*.json")):
        record = read_record(path)
        if record is None:
            damaged.append(f"the record {path.name} can't be read")
        elif record.get("mlflow_run") == run_id or (not record.get("mlflow_run") and record.get("version") == version):
            said |= dict.fromkeys(describe_verdicts(record))
    if said or damaged:
        yield Link("gates", count(len(said), "verdict"), tuple(said), open=tuple(damaged))


def find_records() -> Path:
    """Return where the pipeline's steps leave their records."""
    return find_data() / "pipeline" / "records"


def read_record(path: Path) -> dict[str, Any] | None:
    """Return what a step recorded, None if it can't be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def describe_verdicts(record: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each gate of a record."""
    for verdict in record.get("verdicts") or ():
        if isinstance(verdict, dict):
            yield f"{verdict.get('gate')}: {verdict.get('verdict')}, {verdict.get('sentence')}"
