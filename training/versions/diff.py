"""What changed from one kept table to another: rows and columns, and of each column which share of its values.

The digests of both say which groups differ, in which columns: only these are read, one group of each at a time. Rows
are compared with those in the same position: where some were put in between, all after them differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.training.versions.folder import Folder
from ekiben.training.versions.kept_table import KeptTable
from ekiben.training.versions.snapshots import read_group


@dataclass(frozen=True)
class ColumnChange:
    """How many values of a column differ in the rows that both tables have."""

    name: str
    groups: int  # in which any does
    values: int | None  # None if the rows of one table were not copied
    of: int  # values in both tables


@dataclass(frozen=True)
class Difference:
    """What changed from a table to another."""

    rows: tuple[int, int]  # of the one and the other
    same: int  # groups
    changed: int
    added: int
    removed: int
    columns_added: Mapping[str, str]  # with their kinds
    columns_removed: Mapping[str, str]
    renamed: Mapping[str, str]  # the name before → the name now
    retyped: Mapping[str, tuple[str, str]]
    columns: Sequence[ColumnChange]

    @property
    def is_none(self) -> bool:
        """Whether the tables have the same rows and columns."""
        named = (self.columns_added, self.columns_removed, self.renamed, self.retyped)
        return not (self.changed or self.added or self.removed or any(named))


def compare(folder: Folder, before: KeptTable, after: KeptTable) -> Difference:
    """Return what changed; raise InvalidTable if a group that has to be read was altered or is gone."""
    pairs = list(zip(before.groups, after.groups, strict=False))
    renamed = find_renamed(before, after)
    common = {name: name for name in before.kinds if after.kinds.get(name) == before.kinds[name]} | renamed
    changes = compare_values(folder, before, after, common)
    same = sum(
        one.rows == other.rows and all(one.leaves[name] == other.leaves[now] for name, now in common.items())
        for one, other in pairs
    )
    added = {name: kind for name, kind in after.kinds.items() if name not in before.kinds}
    removed = {name: kind for name, kind in before.kinds.items() if name not in after.kinds}
    return Difference(
        rows=(before.fingerprint.rows, after.fingerprint.rows),
        same=same,
        changed=len(pairs) - same,
        added=max(0, len(after.groups) - len(pairs)),
        removed=max(0, len(before.groups) - len(pairs)),
        columns_added={name: kind for name, kind in added.items() if name not in renamed.values()},
        columns_removed={name: kind for name, kind in removed.items() if name not in renamed},
        renamed=renamed,
        retyped={
            name: (kind, after.kinds[name])
            for name, kind in before.kinds.items()
            if after.kinds.get(name, kind) != kind
        },
        columns=changes,
    )


def find_renamed(before: KeptTable, after: KeptTable) -> dict[str, str]:
    """Return which columns have another name: those with the same values in all groups of as many rows in both."""
    pairs = [pair for pair in zip(before.groups, after.groups, strict=False) if pair[0].rows == pair[1].rows]
    new = {
        (after.kinds[name], *(group.leaves[name] for _, group in pairs)): name
        for name in after.kinds.keys() - before.kinds.keys()
    }
    gone = [name for name in before.kinds if name not in after.kinds]
    leaves = {name: (before.kinds[name], *(group.leaves[name] for group, _ in pairs)) for name in gone}
    return {name: new.pop(leaves[name]) for name in gone if pairs and leaves[name] in new}


def compare_values(
    folder: Folder, before: KeptTable, after: KeptTable, common: Mapping[str, str]
) -> tuple[ColumnChange, ...]:
    """Return the columns that have other values in rows of both; `common` maps a column's name before to that now."""
    groups, values = dict.fromkeys(common, 0), dict.fromkeys(common, 0)
    for one, other in zip(before.groups, after.groups, strict=False):
        rows = min(one.rows, other.rows)
        suspect = [name for name, now in common.items() if one.leaves[name] != other.leaves[now]]
        if not suspect or before.origin or after.origin:
            for name in suspect if one.rows == other.rows else ():
                groups[name] += 1
            continue
        first, second = read_group(folder, one, before.kinds), read_group(folder, other, after.kinds)
        for name in suspect:
            changed = count_changed(first[name][:rows], second[common[name]][:rows])
            groups[name] += changed > 0
            values[name] += changed
    copied = not (before.origin or after.origin)
    of = min(before.fingerprint.rows, after.fingerprint.rows)
    changes = (ColumnChange(common[name], groups[name], values[name] if copied else None, of) for name in common)
    return tuple(change for change in changes if change.groups)


def count_changed(before: pa.Array, after: pa.Array) -> int:
    """Return in how many positions two columns of a kind differ; null is only like null."""
    same = pc.fill_null(pc.equal(before, after), False)
    both_null = pc.and_(before.is_null(), after.is_null())
    return len(before) - int(pc.sum(pc.or_(same, both_null)).as_py() or 0)
