"""Removes kept tables that nothing names any more, and the groups of rows that none of the others has."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import mlflow

from ekiben.contract.errors import UserError
from ekiben.training.home import find_data
from ekiben.training.registry import tracking
from ekiben.training.registry.creation import find_file
from ekiben.training.registry.store import read_uri
from ekiben.training.versions.folder import Folder
from ekiben.training.versions.kept_table import DIGEST, FILE, GROUPS, KeptTable, list_kept

RECORDS = "pipeline/records"
DATA_TAG = "data_digest"


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    tables: Mapping[str, KeptTable]
    groups: int  # files of rows
    bytes: int
    named: int  # tables that would go but for what names them


def find_named() -> dict[str, list[str]]:
    """Return what names a table's digest, by the digest: registered versions, and records of the pipeline.

    Raise StoreUnreachable if the registry can't be asked, UserError if a record can't be read.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for digest, version in find_registered():
        named[digest].append(version)
    for path in sorted((find_data() / RECORDS).glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path} can't be read ({error.strerror}), and may name a table") from None
        for digest in set(DIGEST.findall(text)):
            named[digest].append(f"record {path.stem[:12]}")
    return named


def find_registered() -> list[tuple[str, str]]:
    """Return the data digest and the name of each registered version; none if there is no store yet."""
    file = find_file(read_uri())
    if file is not None and not file.exists():
        return []
    found, token = [], None
    with tracking.existing_store(changing=False):
        while True:
            page = mlflow.MlflowClient().search_model_versions(page_token=token)
            found += [(each.tags.get(DATA_TAG, ""), f"{each.name} {each.version}") for each in page]
            token = page.token
            if not token:
                return found


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
        if not dry_run:
            for digest in gone:
                folder.remove(f"{digest}/{FILE}")
            for name in groups:
                folder.remove(name)
    return Pruned(gone, len(groups), sum(groups.values()), len(old) - len(gone))
