"""What is kept of a table beside its rows: table.json in a folder named by the digest."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.errors import InvalidTable
from ekiben.training.versions.digest import FORMAT, GROUP_ROWS, Fingerprint, Group
from ekiben.training.versions.folder import Folder

FILE = "table.json"
GROUPS = "groups"
DIGEST_LENGTH = 64
DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")
SHORT = 12  # digits of a digest, to tell tables apart


class Origin(BaseModel):
    """Where the rows are, if they were not copied: a version of a lake's table, and each how-manyth of its rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    version: int
    step: int = 1


class KeptTable(BaseModel):
    """The digests of a table, which its name is of, and what the source was called, which it is not of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = FORMAT
    group_rows: int = GROUP_ROWS
    kinds: dict[str, str]
    groups: tuple[Group, ...]
    unread: dict[str, Any]
    columns: tuple[str, ...]  # of the source, also those that were not read
    source: str
    notes: tuple[str, ...]
    kept: datetime
    origin: Origin | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.kinds, self.groups, self.unread)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of its rows; none if they are where they were."""
        return () if self.origin else tuple(name_group(group, self.kinds) for group in self.groups)


def now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def name_group(group: Group, kinds: Mapping[str, str]) -> str:
    """Return the file of a group's rows, which all tables that have these rows share."""
    digest = group.digest(kinds)
    return f"{GROUPS}/{digest[:2]}/{digest}.parquet"


def list_kept(folder: Folder) -> dict[str, KeptTable]:
    """Return all tables that are kept, the last one first."""
    digests = (name.partition("/")[0] for name in folder.list(f"*/{FILE}"))
    kept = {digest: read_kept(folder, digest) for digest in digests}
    return dict(sorted(kept.items(), key=lambda item: (item[1].kept, item[0]), reverse=True))


def find_digest(folder: Folder, given: str) -> str:
    """Return the digest that begins so; raise InvalidTable if none of a kept table does, or several do."""
    if len(given) == DIGEST_LENGTH:
        return given
    found = sorted(name.partition("/")[0] for name in folder.list(f"*/{FILE}") if name.startswith(given))
    if len(found) != 1 or not given:
        several = f"{len(found)} tables that are kept begin so" if found else f"none that is kept in {folder} begins so"
        raise InvalidTable(f"no one table is meant by {given!r}: {several}; see `ekiben data list`")
    return found[0]


def read_kept(folder: Folder, digest: str) -> KeptTable:
    """Return what is kept of a table; raise InvalidTable if it isn't, or if its file was altered."""
    content = folder.read(f"{digest}/{FILE}") if DIGEST.fullmatch(digest) else None
    if content is None:
        raise InvalidTable(f"no table {digest} is kept in {folder}: `ekiben data list` shows those that are")
    try:
        kept = KeptTable.model_validate_json(content)
    except ValidationError:
        kept = None
    if kept is None or kept.fingerprint.digest != digest:
        mend = "remove its folder, and keep the table again from its source"
        raise InvalidTable(f"{folder}/{digest}/{FILE} was altered: it is not of this digest; {mend}")
    return kept
