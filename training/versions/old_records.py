"""The pipeline's records that nothing needs any more, and what their steps made: training reads them as plain JSON.

A record is needed if it is young, of a registered version, or of a run that is on; and so is every record that a needed
one leads back to, by `after`. All others go, the record first: without it what a step made counts for nothing.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ekiben.contract.errors import UserError
from ekiben.training.home import find_data
from ekiben.training.versions.named import RECORDS, find_versions

RUNS, WORK = "pipeline/runs", "pipeline/work"
SILENCE = timedelta(days=30)  # after which a run that nobody ended was killed


def find_old(before: datetime) -> list[str]:
    """Return the keys of records and of what steps made that are older than this and that nothing needs.

    Raise StoreUnreachable if the registry can't be asked, UserError if a record or a run can't be read.
    """
    records = {path.stem: (path, _read(path)) for path in _list(RECORDS)}
    versions, runs = find_versions()
    needed = set(_find_keys_of_runs())
    for key, (path, record) in records.items():
        named = (_find_name(record), record.get("version")) in versions
        if named or record.get("mlflow_run") in runs or not _is_older(path, before):
            needed.add(key)
    needed |= set(_walk_back(needed, {key: record for key, (_, record) in records.items()}))
    alone = [path.name for path in (find_data() / WORK).glob("[!.]*") if path.name not in records]  # of a kill
    orphans = [name for name in alone if _is_older(find_data() / WORK / name, before)]
    return sorted({*records, *orphans} - needed)


def remove_records(keys: Iterable[str]) -> None:
    """Remove records, each before what its step made."""
    for key in keys:
        (find_data() / RECORDS / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(find_data() / WORK / key, ignore_errors=True)


def count_bytes(keys: Iterable[str]) -> int:
    """Return the bytes of what the steps of these records made."""
    folders = (find_data() / WORK / key for key in keys)
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def _walk_back(keys: Iterable[str], records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield each key that these lead back to, once."""
    seen: set[str] = set()
    for first in keys:
        key: Any = first
        while key in records and key not in seen:
            seen.add(key)
            yield key
            key = records[key].get("after")


def _find_keys_of_runs() -> Iterator[str]:
    """Yield the keys of the steps of each run that is on."""
    for path in _list(RUNS):
        run = _read(path)
        if run.get("outcome") == "unfinished" and not _is_older(path, datetime.now(UTC) - SILENCE):
            yield from (str(step.get("key")) for step in run.get("steps") or () if isinstance(step, dict))


def _find_name(record: Mapping[str, Any]) -> Any:
    configuration = record.get("configuration")
    return configuration.get("name") if isinstance(configuration, dict) else None


def _list(folder: str) -> list[Path]:
    return sorted((find_data() / folder).glob("[!.]*.json"))


def _is_older(path: Path, before: datetime) -> bool:
    return path.stat().st_mtime < before.timestamp()


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{path} can't be read, and may be needed: remove it if it is damaged")
    return value
