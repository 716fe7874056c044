"""Reads the table and keeps it: whatever becomes of the source, later steps read what was kept."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ekiben.model.integrity import digest_file
from ekiben.pipeline.records.record import StepRecord
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import find_champion_inputs
from ekiben.pipeline.steps.room import MEMORY, open_step_room
from ekiben.training.checks.gate import find_contract
from ekiben.training.preparation import read_with_progress
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_json
from ekiben.training.source_config import BuiltInSource, FileSource
from ekiben.training.sources.flights import PACKAGE
from ekiben.training.streaming.spill import find_spill
from ekiben.training.truth.folder import LABELS, ROWS
from ekiben.training.truth.training_table import LogTable, open_logged
from ekiben.training.versions.snapshots import keep_table, load_table

BUILDS_ON: tuple[str, ...] = ()
GATED = False
OPTIONS = ("rows", "memory")
PROBLEM = "problem.json"  # as the table that was read fits it
TABLE = "table"


def find_inputs(given: Given) -> dict[str, str]:
    """Return the digest of the source; one that does not say whether it has changed is another one every time.

    Which rows a log gives the champion decides, too, and the day: its alarms are of days.
    """
    problem = given.problem
    if problem.pipeline.log is not None:
        parts, labels = _digest_path(problem.pipeline.log, _find_parts), _digest_path(problem.pipeline.labels or "")
        today = datetime.now(UTC).date().isoformat()
        return {"source": parts, "labels": labels, "day": today, **find_champion_inputs(problem.name)}
    if isinstance(problem.source, BuiltInSource):
        return {"source": f"{PACKAGE} {version(PACKAGE)}"}
    return {"source": _digest_path(str(problem.source.path) if isinstance(problem.source, FileSource) else "://")}


def run(given: Given) -> Made:
    """Read the table, or the labelled rows of the log, and keep it with the problem that fits it."""
    problem, logged = given.problem, None
    if problem.pipeline.log is not None:
        contract = find_contract(problem.name)
        log = LogTable(problem.pipeline.log, problem.pipeline.labels, force=problem.pipeline.alarmed_days)
        known = (contract.schema, contract.reference) if contract else (None, None)
        problem, logged = open_logged(problem, known[0], log, False, known[1])
    spill = find_spill(problem, given.room, print)
    table = read_with_progress(problem, given.options.rows, lenient=True, logged=logged, spill=spill)
    write_problem(given.folder / PROBLEM, problem)
    if given.room and table.on_disk:
        (given.folder / MEMORY).write_text(str(given.room.budget.bytes), encoding="ascii")
    digest = keep_table(table)
    return Made(f"{table.rows:,} rows of {table.source} are kept as {digest[:12]}", outputs={TABLE: digest})


def check(given: Given, record: StepRecord) -> None:
    """Raise InvalidTable if the table that was kept is gone or altered."""
    with open_step_room(given) as found:
        load_table(given.problem, record.outputs[TABLE], find_spill(given.problem, found.room))


def write_problem(path: Path, problem: ProblemConfig) -> None:
    """Write a problem without the secrets of its source, which nobody reads again."""
    described = problem.model_dump(mode="json", exclude_unset=True, exclude={"pipeline", "behaviour"})
    path.write_text(json.dumps(redact_json(described), indent=1) + "\n", encoding="utf-8")


def _find_files(root: Path) -> list[Path]:
    if root.is_dir():
        return sorted(path for path in root.rglob("*") if path.is_file())
    return [root] if root.exists() else []


def _find_parts(root: Path) -> list[Path]:
    """Return the whole parts of a log; whatever else is in its folder is on its way to be one."""
    return sorted([*root.glob(ROWS), *root.glob(LABELS)]) if root.is_dir() else _find_files(root)


def _digest_path(name: str, find: Callable[[Path], list[Path]] = _find_files) -> str:
    if "://" in name or name.startswith("$"):
        return f"read {datetime.now(UTC).isoformat()}"
    digest, root = hashlib.sha256(), Path(name)
    for path in find(root) if name else ():
        with suppress(FileNotFoundError):  # the service's retention was quicker
            digest.update(f"{path.relative_to(root)} {digest_file(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
