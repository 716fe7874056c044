"""The digest of a table: a tree of SHA-256 over its typed values, by groups of rows.

A leaf is of one column's values in one group, a group's digest is of its leaves, and the table's is of its groups and
of what could not be read. So two tables with one digest have the same values in the same order of rows, wherever and
however they were stored; and of two with different digests, the tree says in which rows and columns they differ without
reading them. The order of columns does not matter: the problem file gives it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.training.digests import digest_json
from ekiben.training.versions.columns import TypedColumn

GROUP_ROWS = 65_536
FORMAT = "ekiben table 1"


@dataclass(frozen=True)
class Group:
    """The digests of a group of rows: of each column's values, by its name."""

    rows: int
    leaves: Mapping[str, str]

    def digest(self, kinds: Mapping[str, str]) -> str:
        """Return the group's digest, and so the name under which its rows are kept."""
        columns = {name: [kinds[name], leaf] for name, leaf in self.leaves.items()}
        return digest_json({"rows": self.rows, "columns": columns})


@dataclass(frozen=True)
class Fingerprint:
    """What a table is: its columns' kinds, the groups of its rows, and what could not be read of its source."""

    kinds: Mapping[str, str]
    groups: Sequence[Group]
    unread: Mapping[str, Any]  # as JSON has it: columns that are absent, and what doesn't fit a column's kind
    known: int = 0  # of the groups, which were not hashed again

    @cached_property
    def digest(self) -> str:
        """The table's digest, 64 hexadecimal digits."""
        groups = [group.digest(self.kinds) for group in self.groups]
        table = {"format": FORMAT, "columns": dict(self.kinds), "groups": groups, "unread": dict(self.unread)}
        return digest_json(table | {"group_rows": GROUP_ROWS})

    @property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)


def fingerprint(frame: pd.DataFrame, unread: Mapping[str, Any], known: Sequence[Group] = ()) -> Fingerprint:
    """Return what a typed table is; the first groups may be `known` already."""
    columns = {str(name): TypedColumn(frame[name]) for name in frame}
    kinds = {name: column.kind for name, column in columns.items()}
    groups = [
        digest_group({name: column.take(start, start + GROUP_ROWS) for name, column in columns.items()})
        for start in range(len(known) * GROUP_ROWS, len(frame), GROUP_ROWS)
    ]
    return Fingerprint(kinds, [*known, *groups], unread, len(known))


def digest_group(columns: Mapping[str, pa.Array]) -> Group:
    """Return the digests of a group's columns, each with the same number of rows."""
    rows = len(next(iter(columns.values())))
    return Group(rows, {name: digest_values(values) for name, values in columns.items()})


def digest_values(values: pa.Array) -> str:
    """Return the digest of a column's values: their number, which of them are there, and each of these.

    Hashed are bits, little-endian numbers, seconds since 1970, or the lengths and the bytes of UTF-8 strings; a zero or
    an empty string where there is no value; and 0.0 for -0.0.
    """
    hashed = hashlib.sha256(f"{len(values)}\n".encode())
    hashed.update(np.packbits(values.is_valid().to_numpy(zero_copy_only=False), bitorder="little").tobytes())
    if pa.types.is_string(values.type):
        filled = pc.fill_null(values, "")
        lengths = pc.binary_length(filled).to_numpy(zero_copy_only=False)
        hashed.update(lengths.astype("<i4").tobytes())
        hashed.update(_join_bytes(filled, int(lengths.sum(dtype=np.int64))))
    else:
        hashed.update(_to_numbers(values))
    return hashed.hexdigest()


def _to_numbers(values: pa.Array) -> bytes:
    if pa.types.is_boolean(values.type):
        return np.packbits(pc.fill_null(values, False).to_numpy(zero_copy_only=False), bitorder="little").tobytes()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    plain = pc.fill_null(values, 0).to_numpy(zero_copy_only=False) + 0  # which makes 0.0 of -0.0
    return bytes(plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes())


def _join_bytes(strings: pa.Array, size: int) -> bytes | memoryview:
    _, offsets, content = strings.buffers()
    if content is None or not size:
        return b""
    start = int(np.frombuffer(offsets, np.int32)[strings.offset])
    return memoryview(content)[start : start + size]
