"""What is kept of a table beside its rows: table.json in a folder named by the digest."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.errors import InvalidTable
from ekiben.training.versions.digest import FORMAT, GROUP_ROWS, Fingerprint, Group
from ekiben.training.versions.folder import Folder

FILE = "table.json"
GROUPS = "groups"
DIGEST_LENGTH = 64


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

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.kinds, self.groups, self.unread)


def now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def name_group(group: Group, kinds: Mapping[str, str]) -> str:
    """Return the file of a group's rows, which all tables that have these rows share."""
    digest = group.digest(kinds)
    return f"{GROUPS}/{digest[:2]}/{digest}.parquet"


def read_kept(folder: Folder, digest: str) -> KeptTable:
    """Return what is kept of a table; raise InvalidTable if it isn't, or if its file was altered."""
    if len(digest) != DIGEST_LENGTH or not set(digest) <= set("0123456789abcdef"):
        raise InvalidTable(f"{digest!r} is not the digest of a table: it has 64 digits, see `ekiben data list`")
    content = folder.read(f"{digest}/{FILE}")
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
