"""Takes a table to disk as it is read, once it has grown larger than the memory it may take."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ekiben.contract.errors import UserError
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.memory import format_bytes, suggest_memory
from ekiben.training.streaming.sampling import EvenSample
from ekiben.training.streaming.scratch import Room, check_room
from ekiben.training.tables.on_disk import POSITION, TableOnDisk, finish, to_frame
from ekiben.training.tables.readers import DiskReader
from ekiben.training.versions.digest import GROUP_ROWS, Group, digest_values

FILE_GROUPS = 16  # in each file, so that what is known of the groups of one does not grow with the table
COPIES_ON_DISK = 2.0  # of the typed rows: as they were read, and encoded


class SpillToDisk:
    """Looks at how large a table grows as it is read; what is too large is written into a folder, group by group."""

    def __init__(self, problem: ProblemConfig, room: Room, say: Callable[[str], object] = print) -> None:
        self._needed = [problem.target.name, *filter(None, [problem.split.moment])]
        self._split, self._weight = problem.split, problem.weight
        self._folder, self._budget, self._say = room.folder, room.budget, say
        self._is_spilling = False
        self._read = self._rows = self._groups = 0
        self._waiting: list[pa.Table] = []  # rows that make no group yet
        self._left_out = dict.fromkeys(self._needed, 0)
        self._has_time = False
        self._writer: parquet.ParquetWriter | None = None
        self._leaves: list[dict[str, str]] = []
        self._sizes: list[int] = []
        self._sample = EvenSample(0)

    def look(self, readers: Mapping[str, DiskReader], share: float) -> None:
        """Take what the readers hold, if it is too much; `share` of the table was read."""
        held = sum(reader.bytes for reader in readers.values())
        if not self._is_spilling and held <= self._budget.table_bytes:
            return
        if not self._is_spilling:
            self._start(held, readers, share)
        for columns in zip(*(reader.drain() for reader in readers.values()), strict=True):
            self._add(pa.table(list(columns), list(readers)), readers)

    def finish(self, readers: Mapping[str, DiskReader]) -> TableOnDisk | None:
        """Return the table on disk, None if it is all in memory."""
        if not self._is_spilling:
            return None
        if self._waiting:
            self._write(self._take(self._rows - self._groups * GROUP_ROWS), readers)
        if self._writer:
            self._writer.close()
        settle = {name: reader.settle for name, reader in readers.items()}
        kinds = {name: reader.name_kind(self._sample.types[name]) for name, reader in readers.items()}
        table = TableOnDisk(
            self._folder, self._rows, kinds, settle, (), self._read_sample(kinds, readers), self._count_left_out(),
            self._has_time,
        )  # fmt: skip
        return self._digest(table, readers)

    def _start(self, held: int, readers: Mapping[str, DiskReader], share: float) -> None:
        whole = held / max(share, 0.01)
        self._reject_split(whole, readers)
        check_room(self._folder, COPIES_ON_DISK * whole)
        self._sample = EvenSample(self._budget.sample_rows(len(readers)))
        self._is_spilling = True
        room = f"{format_bytes(self._budget.bytes)} of memory have room for {format_bytes(self._budget.table_bytes)}"
        self._say(f"larger than memory: about {format_bytes(whole)} of rows, and {room}: trained on from the disk")

    def _reject_split(self, whole: float, readers: Mapping[str, DiskReader]) -> None:
        """Raise UserError if the table can't be split as the problem says unless it is in memory."""
        if self._split.group:
            entry, instead = "group", "leave `group` out"
        elif self._split.moment and self._split.moment not in readers:
            entry, instead = "time of several columns", "put the time into one column"
        else:
            return
        raise UserError(
            f"[split] {entry}: it needs the whole table in memory, whose rows take about {format_bytes(whole)} where "
            f"{format_bytes(self._budget.bytes)} have room for {format_bytes(self._budget.table_bytes)}: give "
            f"--memory {suggest_memory(whole)}, or {instead}"
        )

    def _add(self, rows: pa.Table, readers: Mapping[str, DiskReader]) -> None:
        positions = np.arange(self._read, self._read + len(rows))
        self._read += len(rows)
        rows = rows.append_column(POSITION, pa.array(positions))
        self._has_time |= rows[self._needed[-1]].null_count < len(rows)
        for name in self._needed:
            if absent := rows[name].null_count:
                self._left_out[name] += absent
                rows = rows.filter(rows[name].is_valid())
        if self._weight and self._weight in readers:
            rows = self._leave_out_weightless(rows, self._weight)
        self._sample.add(rows)
        self._waiting.append(rows)
        self._rows += len(rows)
        while self._rows - self._groups * GROUP_ROWS >= GROUP_ROWS:
            self._write(self._take(GROUP_ROWS), readers)

    def _leave_out_weightless(self, rows: pa.Table, weight: str) -> pa.Table:
        counted = pc.fill_null(pc.not_equal(rows[weight], 0), True)  # a missing weight is told of with its row
        if weightless := len(rows) - pc.sum(counted, min_count=0).as_py():
            self._left_out[weight] = self._left_out.get(weight, 0) + weightless
        return rows.filter(counted)

    def _take(self, rows: int) -> pa.Table:
        """Return the next rows, and leave the others waiting."""
        waiting = pa.concat_tables(self._waiting)
        self._waiting = [waiting.slice(rows)]
        return waiting.slice(0, rows).combine_chunks()

    def _write(self, rows: pa.Table, readers: Mapping[str, DiskReader]) -> None:
        if not len(rows):
            return
        if self._groups % FILE_GROUPS == 0:
            if self._writer:
                self._writer.close()
            strings = [field.name for field in rows.schema if pa.types.is_string(field.type)]
            path = self._folder / f"rows-{self._groups // FILE_GROUPS:06}.parquet"
            self._writer = parquet.ParquetWriter(
                path, rows.schema, compression="lz4", use_dictionary=strings, write_statistics=False,
                column_encoding={POSITION: "DELTA_BINARY_PACKED"},
            )  # fmt: skip
        assert self._writer
        self._writer.write_table(rows, row_group_size=GROUP_ROWS)
        self._leaves.append({name: digest_values(_join(rows[name])) for name in readers})
        self._sizes.append(len(rows))
        self._groups += 1

    def _read_sample(self, kinds: Mapping[str, str], readers: Mapping[str, DiskReader]) -> "pd.DataFrame":
        sampled = self._sample.take()
        positions = pd.Index(sampled[POSITION].to_numpy())
        columns = {name: finish(_join(sampled[name]), kinds[name], readers[name].settle) for name in kinds}
        return to_frame(kinds, columns, positions)

    def _count_left_out(self) -> dict[str, int]:
        return {name: rows for name, rows in self._left_out.items() if rows}

    def _digest(self, table: TableOnDisk, readers: Mapping[str, DiskReader]) -> TableOnDisk:
        """Return the table with its groups' digests, of columns too that only the whole table could settle."""
        late = [name for name, reader in readers.items() if reader.settles_late]
        for leaves, columns in zip(self._leaves, table.groups(late), strict=True):
            leaves |= {name: digest_values(values) for name, values in columns.items()}
        groups = [Group(size, leaves) for size, leaves in zip(self._sizes, self._leaves, strict=True)]
        return replace(table, digests=groups)


def find_spill(
    problem: ProblemConfig, room: Room | None, say: Callable[[str], object] = lambda _: None
) -> SpillToDisk | None:
    """Return what takes a table to disk, if there is room for one."""
    return SpillToDisk(problem, room, say) if room else None


def _join(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
