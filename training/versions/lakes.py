"""Versions of Delta and Iceberg tables: they are read again in place of a copy, and checked by their digest."""

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import ProblemConfig
from ekiben.training.source_config import FileSource
from ekiben.training.tables.read import Spill, Table, read_table
from ekiben.training.versions.kept_table import SHORT, KeptTable, Origin


def find_origin(table: Table) -> Origin | None:
    """Return which version of a lake's table this is, None if it comes from elsewhere."""
    if table.origin is None:
        return None
    return Origin(path=table.origin.path.resolve(), version=table.origin.version, step=table.step)


def read_origin(
    problem: ProblemConfig, kept: KeptTable, origin: Origin, digest: str, spill: Spill | None = None
) -> Table:
    """Read a version again; raise InvalidTable if it is gone or holds other rows than when it was kept."""
    described = f"the kept table {digest[:SHORT]} is version {origin.version} of {origin.path}"
    source = FileSource(path=origin.path, version=origin.version)
    try:
        table = read_table(problem.model_copy(update={"source": source}), lambda _: None, True, spill=spill)
    except InvalidTable as error:
        raise InvalidTable(f"{described}, which can't be read any more: {error}") from None
    if origin.step > 1:
        table = table.take_each(origin.step)
    if not _has_same_rows(table, kept):
        raise InvalidTable(f"{described}, which holds other rows now: train on the source as it is, without --table")
    return table


def _has_same_rows(table: Table, kept: KeptTable) -> bool:
    """Return whether the columns that are read have the values that they had; the problem may read fewer."""
    found = table.fingerprint
    pairs = zip(found.groups, kept.groups, strict=False)
    return found.rows == kept.fingerprint.rows and all(now.leaves.items() <= then.leaves.items() for now, then in pairs)
