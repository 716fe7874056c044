"""Kept tables, and what changed between two, as lines for a person."""

from collections.abc import Iterator, Mapping, Sequence

from ekiben.training.versions.diff import ColumnChange, Difference
from ekiben.training.versions.kept_table import SHORT, KeptTable
from ekiben.training.versions.prune import Pruned
from ekiben.training.wording import count, format_rows, quote

HEADER = ("table", "kept (UTC)", "rows", "columns", "groups", "MiB", "source", "named by")
MAX_SHOWN = 3  # of what names a table
MIB = 2**20


def format_tables(tables: Mapping[str, KeptTable], sizes: Mapping[str, int], named: Mapping[str, Sequence[str]]) -> str:
    """Return a line for each table; `sizes` are the files' bytes, which tables with the same rows share."""
    rows = [HEADER, *(_describe(digest, table, sizes, named.get(digest, ())) for digest, table in tables.items())]
    widths = [max(len(row[index]) for row in rows) for index in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    used = sum(sizes.get(name, 0) for name in {name for table in tables.values() for name in table.files})
    return "\n".join(
        [*lines, f"{count(len(tables), 'table')}, {used / MIB:,.1f} MiB: rows that tables share count once"]
    )


def format_difference(difference: Difference) -> str:
    """Return what changed, a line for each kind of change and each column."""
    return "\n".join(_describe_changes(difference))


def format_pruned(pruned: Pruned, dry_run: bool) -> str:
    """Return what was removed, or would be."""
    said = "would be removed" if dry_run else "removed"
    lines = [f"{said}: {digest[:SHORT]}, kept {table.kept:%Y-%m-%d %H:%M}, {count(table.fingerprint.rows, 'row')} of "
             f"{table.source}" for digest, table in pruned.tables.items()]  # fmt: skip
    freed = f"{count(len(pruned.tables), 'table')} and {count(pruned.groups, 'group')} of rows {said}"
    also = f"; {count(pruned.named, 'table')} more are named" if pruned.named else ""
    return "\n".join([*lines, f"{freed}, {pruned.bytes / MIB:,.1f} MiB{also}"])


def format_records(records: int, size: int, dry_run: bool) -> str:
    """Return how many records of the pipeline were removed, or would be, with what their steps made."""
    said = "would be removed" if dry_run else "removed"
    return f"{count(records, 'record')} of the pipeline {said}, with {size / MIB:,.1f} MiB that steps made"


def _describe(digest: str, table: KeptTable, sizes: Mapping[str, int], named: Sequence[str]) -> tuple[str, ...]:
    more = f" and {len(named) - MAX_SHOWN} more" if len(named) > MAX_SHOWN else ""
    where = f"{table.source}@{table.origin.version}" if table.origin else table.source
    return (
        digest[:SHORT],
        f"{table.kept:%Y-%m-%d %H:%M}",
        f"{table.fingerprint.rows:,}",
        f"{len(table.kinds):,}",
        f"{len(table.groups):,}",
        f"{sum(sizes.get(name, 0) for name in table.files) / MIB:,.1f}",
        where,
        ", ".join(named[:MAX_SHOWN]) + more,
    )


def _describe_changes(difference: Difference) -> Iterator[str]:
    before, after = difference.rows
    change = f"{count(after - before, 'row')} added" if after > before else f"{count(before - after, 'row')} removed"
    yield f"rows: {before:,} → {after:,}" + (f", {change}" if before != after else "")
    groups = {"the same": difference.same, "changed": difference.changed}
    groups |= {"added": difference.added, "removed": difference.removed}
    yield "groups of rows: " + ", ".join(f"{number:,} {said}" for said, number in groups.items() if number)
    for name, kind in difference.columns_added.items():
        yield f"{quote(name)}: added, {kind}"
    for name, kind in difference.columns_removed.items():
        yield f"{quote(name)}: removed, {kind}"
    for name, now in difference.renamed.items():
        yield f"{quote(name)}: renamed to {quote(now)}"
    for name, (was, now) in difference.retyped.items():
        yield f"{quote(name)}: {was} → {now}"
    yield from map(_describe_column, difference.columns)
    if difference.is_none:
        yield "the same rows and columns"


def _describe_column(change: ColumnChange) -> str:
    within = f"in {count(change.groups, 'group')}"
    if change.values is None:
        return f"{quote(change.name)}: changed {within}; how many values is not counted without a copy of the rows"
    return f"{quote(change.name)}: changed in {format_rows(change.values, change.of)}, {within}"
