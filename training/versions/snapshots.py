"""Tables that are kept to be trained on again: each group of rows is a Parquet file, named by its digest.

Tables with the same rows share the file, so that a table that grew costs what was added. A table's folder is written
last: until then nothing refers to its groups, and a killed process has kept nothing.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.read import Spill, Table
from ekiben.training.versions.columns import ARROW_TYPES, TypedColumn
from ekiben.training.versions.digest import GROUP_ROWS, Group, digest_group
from ekiben.training.versions.fitting import check_fit
from ekiben.training.versions.folder import Folder, open_folder
from ekiben.training.versions.kept_rows import KeptColumn
from ekiben.training.versions.kept_table import FILE, KeptTable, find_digest, name_group, now, read_kept
from ekiben.training.versions.known import find_index
from ekiben.training.versions.lakes import find_origin, read_origin


def keep_table(table: Table) -> str:
    """Keep a table as it was read, unless it is kept already, and return its digest.

    Of a version of a Delta or Iceberg table only that version is kept. Raise TablesUnusable if there is no room or the
    folder can't be written to: it is then not kept.
    """
    folder, found, origin = open_folder(), table.fingerprint, find_origin(table)
    kept = KeptTable(
        kinds=dict(found.kinds),
        groups=tuple(found.groups),
        unread=dict(found.unread),
        columns=table.columns,
        source=table.source,
        notes=table.notes,
        kept=now(),
        origin=None if origin and _is_copied(folder, found.digest) else origin,
    )
    with folder.locked(alone=False):
        if not kept.origin:
            write_groups(folder, table)
        folder.write(f"{found.digest}/{FILE}", kept.model_dump_json(indent=1).encode())
    return found.digest


def load_table(problem: ProblemConfig, digest: str, spill: Spill | None = None) -> Table:
    """Return a kept table to the bit, its columns in the problem's order; the beginning of a digest will do.

    Raise InvalidTable if it is not kept, if a file of it was altered or is gone, or if the problem reads a column that
    it does not have or has as another kind.
    """
    folder = open_folder()
    digest = find_digest(folder, digest)
    kept = read_kept(folder, digest)
    names = check_fit(problem, kept, digest)
    if kept.origin:
        return read_origin(problem, kept, kept.origin, digest, spill)
    columns = {name: KeptColumn(kept.kinds[name]) for name in names}
    for index, group in enumerate(kept.groups, 1):
        rows = read_group(folder, group, kept.kinds)
        for name, column in columns.items():
            column.add(rows[name])
        if spill:
            spill.look(columns, index / len(kept.groups))
    on_disk = spill.finish(columns) if spill else None
    frame = on_disk.sample if on_disk else pd.DataFrame({name: columns[name].finish() for name in names}, copy=False)
    failures = tuple(ParseFailure(**failure) for failure in kept.unread["parse_failures"])
    return Table(frame, kept.columns, tuple(kept.unread["absent"]), failures, kept.source, kept.notes, on_disk=on_disk)


def find_kept(beginning: str) -> str:
    """Return the digest of the kept table that begins so; raise InvalidTable if no one table is meant."""
    return find_digest(open_folder(), beginning)


def is_kept(digest: str) -> bool:
    """Return whether a table of that digest is kept."""
    return open_folder().has(f"{digest}/{FILE}")


def write_groups(folder: Folder, table: Table) -> None:
    """Write the groups of rows that no table kept before has, or of which the file was altered."""
    groups = table.fingerprint.groups
    for index, (group, take) in enumerate(zip(groups, _list_groups(table), strict=True)):
        name = name_group(group, table.fingerprint.kinds)
        if not (folder.has(name) and _is_whole(folder, group, table.fingerprint.kinds)):
            rows = take()
            if index < table.fingerprint.known and digest_group(rows) != group:
                wrong = f"{table.source} has other rows than its index says"
                raise InvalidTable(f"{wrong}: remove {find_index()}, and read it again")
            folder.write(name, write_group(rows))


def _list_groups(table: Table) -> Iterator[Callable[[], Mapping[str, pa.Array]]]:
    """Yield what gives each group's rows."""
    if table.on_disk:
        yield from (partial(dict, rows) for rows in table.on_disk.groups())
        return
    columns = {str(name): TypedColumn(table.frame[name]) for name in table.frame}
    for start in range(0, len(table.frame), GROUP_ROWS):
        yield partial(_take, columns, start)


def _take(columns: Mapping[str, TypedColumn], start: int) -> dict[str, pa.Array]:
    return {name: column.take(start, start + GROUP_ROWS) for name, column in columns.items()}


def write_group(rows: Mapping[str, pa.Array]) -> bytes:
    """Return the Parquet file of a group of rows."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(dict(rows)), buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def read_group(folder: Folder, group: Group, kinds: Mapping[str, str]) -> dict[str, pa.Array]:
    """Return a group's columns; raise InvalidTable if they are not those that were kept."""
    name = name_group(group, kinds)
    content = folder.read(name)
    if content is None:
        raise InvalidTable(f"{folder}/{name} is gone: keep the table again from its source")
    try:
        read = parquet.ParquetFile(io.BytesIO(content), page_checksum_verification=True).read()
        rows = {key: read[key].cast(ARROW_TYPES[kind]).combine_chunks() for key, kind in kinds.items()}
        is_kept = digest_group(rows) == group
    except (pa.ArrowException, KeyError, OSError):
        is_kept = False
    if not is_kept:
        raise InvalidTable(f"{folder}/{name} was altered: remove it, and keep the table again from its source")
    return rows


def _is_whole(folder: Folder, group: Group, kinds: Mapping[str, str]) -> bool:
    try:
        read_group(folder, group, kinds)
    except InvalidTable:
        return False
    return True


def _is_copied(folder: Folder, digest: str) -> bool:
    """Return whether the rows of this table were copied before, from another source with the same."""
    return folder.has(f"{digest}/{FILE}") and read_kept(folder, digest).origin is None
