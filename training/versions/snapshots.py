"""Tables that are kept to be trained on again: each group of rows is a Parquet file, named by its digest.

Tables with the same rows share the file, so that a table that grew costs what was added. A table's folder is written
last: until then nothing refers to its groups, and a killed process has kept nothing.
"""

import io
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.read import Table
from ekiben.training.versions.columns import ARROW_TYPES, TypedColumn, to_series
from ekiben.training.versions.digest import GROUP_ROWS, Group, digest_group
from ekiben.training.versions.fitting import check_fit
from ekiben.training.versions.folder import Folder, open_folder
from ekiben.training.versions.kept_table import FILE, KeptTable, name_group, now, read_kept


def keep_table(table: Table) -> str:
    """Keep a table as it was read, unless it is kept already, and return its digest.

    Raise TablesUnusable if there is no room or the folder can't be written to: it is then not kept.
    """
    folder, found = open_folder(), table.fingerprint
    columns = {str(name): TypedColumn(table.frame[name]) for name in table.frame}
    for index, group in enumerate(found.groups):
        name = name_group(group, found.kinds)
        if not folder.has(name):
            start = index * GROUP_ROWS
            rows = {key: column.take(start, start + GROUP_ROWS) for key, column in columns.items()}
            folder.write(name, write_group(rows))
    kept = KeptTable(
        kinds=dict(found.kinds),
        groups=tuple(found.groups),
        unread=dict(found.unread),
        columns=table.columns,
        source=table.source,
        notes=table.notes,
        kept=now(),
    )
    folder.write(f"{found.digest}/{FILE}", kept.model_dump_json(indent=1).encode())
    return found.digest


def load_table(problem: ProblemConfig, digest: str) -> Table:
    """Return a kept table to the bit, its columns in the problem's order.

    Raise InvalidTable if it is not kept, if a file of it was altered or is gone, or if the problem reads a column that
    it does not have or has as another kind.
    """
    folder = open_folder()
    kept = read_kept(folder, digest)
    names = check_fit(problem, kept, digest)
    chunks: dict[str, list[pa.Array]] = {name: [] for name in kept.kinds}
    for group in kept.groups:
        rows = read_group(folder, group, kept.kinds)
        for name, values in rows.items():
            chunks[name].append(values)
    frame = pd.DataFrame({name: to_series(kept.kinds[name], chunks.pop(name)) for name in names}, copy=False)
    failures = tuple(ParseFailure(**failure) for failure in kept.unread["parse_failures"])
    return Table(frame, kept.columns, tuple(kept.unread["absent"]), failures, kept.source, kept.notes)


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
