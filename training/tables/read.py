"""A source read as the problem says: narrow typed columns in a pandas table, and what did not fit them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.contract.spellings.spelling import spelling_of
from ekiben.contract.validation import show
from ekiben.training.problem import ProblemConfig
from ekiben.training.sources import Source, describe_absent, open_source
from ekiben.training.sources.lake import LakeTable, LakeVersion
from ekiben.training.tables.column_readers import choose_readers, spell_logged
from ekiben.training.tables.moments import add_moments
from ekiben.training.tables.on_disk import TableOnDisk
from ekiben.training.tables.readers import DiskReader
from ekiben.training.tables.table import Table as Table
from ekiben.training.tables.weights import check_weights
from ekiben.training.versions.columns import PANDAS_TYPES as PANDAS_TYPES
from ekiben.training.versions.columns import settle
from ekiben.training.versions.known import confirm, observe
from ekiben.training.wording import count

LEFT_OUT = "left out"  # how notes on rows begin


class Spill(Protocol):
    """Takes what was read of a table to disk once it has grown too large for memory."""

    def look(self, readers: Mapping[str, DiskReader], share: float) -> None:
        """Take what the readers hold, if it is too much; `share` of the table was read."""

    def finish(self, readers: Mapping[str, DiskReader]) -> TableOnDisk | None:
        """Return the table on disk, None if it is all in memory."""


def read_table(
    problem: ProblemConfig,
    report: Callable[[float], None],
    lenient: bool = False,
    logged: Source | None = None,
    spill: Spill | None = None,
) -> Table:
    """Read the problem's columns of its source in batches.

    Rows without a target are left out; values that don't fit their kind become misfits. Raises
    InvalidTable if there are no rows, the source can't be read or a column is absent: of a
    `lenient` reading only the target or the time. What a service `logged` is read in place of the
    problem's source, and its values are taken as they are. With a `spill` a table that is too large goes to disk, and
    the frame has rows spread evenly over it.
    """
    source = logged or open_source(problem.source)
    absent = tuple(name for name in problem.columns if name not in source.columns)
    missed = [name for name in absent if not lenient or name in (problem.target.name, *problem.split.columns)]
    if missed:
        raise InvalidTable(describe_absent(source.description, missed[0], source.columns))
    reading = None if logged else observe(problem, source)
    readers = choose_readers(problem, source.typed, spell_logged if logged else spelling_of)
    wanted = [name for name in problem.columns if name not in absent]
    rows, shares = 0, [0.0]

    def note(share: float) -> None:
        shares[0] = share
        report(share)

    for batch in source.batches(wanted, note):
        for index, name in enumerate(wanted):
            readers[name].add(batch.column(index), rows)
        rows += batch.num_rows
        if spill:
            spill.look({name: readers[name] for name in wanted}, shares[0])
    if not rows:
        raise InvalidTable(f"{source.description} has no rows")
    parse_failures = tuple(
        replace(parse_failure, of=rows) for reader in readers.values() if (parse_failure := reader.parse_failure)
    )
    origin = LakeVersion(source.path, source.version) if isinstance(source, LakeTable) else None
    whole_table = Table(
        pd.DataFrame(), source.columns, absent, parse_failures, source.description, source.notes, origin
    )
    if spill and (on_disk := spill.finish({name: readers[name] for name in wanted})):
        table = replace(whole_table, frame=on_disk.sample, on_disk=on_disk)
        if table.frame.empty:
            reject_unread_time(problem, table, on_disk.has_time)
        if problem.weight in wanted:
            check_weights((rows[problem.weight] for rows in on_disk.frames([problem.weight], numbered=True)), table)
        return note_left_out(problem, table, on_disk.left_out)
    frame = pd.DataFrame({name: readers[name].finish() for name in wanted}, copy=False)
    frame = add_moments(frame, problem.split)
    whole = [name for name in wanted if readers[name].is_whole]
    table = leave_out_rows(problem, replace(whole_table, frame=frame))
    positions = table.frame.index
    reading = confirm(reading, whole, positions) if reading else None
    return replace(table, frame=settle(table.frame), reading=reading, positions=positions)


def leave_out_rows(problem: ProblemConfig, table: Table) -> Table:
    """Return the table without the rows that have no target, no time where the split needs one, or a weight of 0."""
    frame, left_out = table.frame, {}
    for name in (problem.target.name, problem.split.moment):
        absent = frame[name].isna() if name else None
        if name and absent is not None and absent.any():
            left_out[name] = int(absent.sum())
            frame = frame[~absent]
    if problem.weight and problem.weight in frame:
        check_weights([frame[problem.weight]], table)
        counts = (frame[problem.weight] != 0).to_numpy()
        if not counts.all():
            left_out[problem.weight] = int(np.count_nonzero(~counts))
            frame = frame[counts]
    if frame.empty:
        time = problem.split.moment
        reject_unread_time(problem, table, time is not None and bool(table.frame[time].notna().any()))
    return note_left_out(problem, replace(table, frame=frame), left_out)


def note_left_out(problem: ProblemConfig, table: Table, left_out: Mapping[str, int]) -> Table:
    """Return the table with a note on the rows that were left out; raise InvalidTable if no row is left."""
    if table.frame.empty and problem.weight and problem.weight in left_out:
        rows = count(left_out[problem.weight], "row")
        raise InvalidTable(f"`{problem.weight}` is 0 in all {rows}: none counts; leave `weight` out")
    if table.frame.empty:
        target, time = problem.target.name, problem.split.moment
        found = f"`{target}` has no value in any row of {table.source}"
        if time and time in left_out:
            others = f" that has a `{target}`" if target in left_out else ""
            found = f"`{time}` has no value in any row of {table.source}{others}: split by another column or at random"
        raise InvalidTable(found)
    told = {name: f"whose `{name}` is 0" if name == problem.weight else f"without `{name}`" for name in left_out}
    notes = [f"{LEFT_OUT}: {count(rows, 'row')} {told[name]}" for name, rows in left_out.items()]
    return replace(table, notes=(*table.notes, *notes))


def reject_unread_time(problem: ProblemConfig, table: Table, has_time: bool) -> None:
    """Raise InvalidTable if no row has a time because none can be read as the problem says."""
    name = problem.split.moment
    failed = next((failure for failure in table.parse_failures if failure.column == name), None)
    if name is None or failed is None or has_time:
        return
    format = problem.features[name].format if name in problem.features else problem.split.format
    expected = f"a date and time written {format!r}" if format else failed.expected
    found = f"row {failed.row:,} has {show(failed.shown)}"
    raise InvalidTable(f"`{name}`: no value can be read as {expected}: {found}")
