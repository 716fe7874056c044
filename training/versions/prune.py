"""Removes kept tables that nothing names any more, and the groups of rows that none of the others has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ekiben.training.versions.folder import Folder
from ekiben.training.versions.kept_table import FILE, GROUPS, KeptTable, list_kept

UNFINISHED = ("*/.*", f"{GROUPS}/*/.*")


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    tables: Mapping[str, KeptTable]
    groups: int  # files of rows
    bytes: int
    named: int  # tables that would go but for what names them


def prune(
    folder: Folder, named: Mapping[str, object], keep: int, before: datetime | None, dry_run: bool = False
) -> Pruned:
    """Remove the tables that nothing names, but the `keep` last and those kept since `before`.

    A table's own file goes first: a prune that is killed leaves no table without its rows.
    """
    with folder.locked(alone=True):
        tables = list_kept(folder)
        old = dict(list(tables.items())[keep:])
        if before is not None:
            old = {digest: table for digest, table in old.items() if table.kept < before}
        gone = {digest: table for digest, table in old.items() if digest not in named}
        needed = {file for digest, table in tables.items() if digest not in gone for file in table.files}
        groups = {name: size for name, size in folder.list(f"{GROUPS}/*/*.parquet").items() if name not in needed}
        unfinished = [name for pattern in UNFINISHED for name in folder.list(pattern)]  # of processes that were killed
        for name in () if dry_run else (*(f"{digest}/{FILE}" for digest in gone), *groups, *unfinished):
            folder.remove(name)
    return Pruned(gone, len(groups), sum(groups.values()), len(old) - len(gone))
