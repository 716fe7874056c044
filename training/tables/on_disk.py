"""The typed rows of a table that is larger than memory: Parquet files, in the groups that a digest is of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ekiben.training.versions.columns import ARROW_TYPES, to_series
from ekiben.training.versions.digest import Group

POSITION = "\0position"  # of a row in the source; no column can be called so
Columns = Mapping[str, pa.Array]
Settle = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class TableOnDisk:
    """The rows that have a target, as they were read."""

    folder: Path
    rows: int
    kinds: Mapping[str, str]  # by column, as a digest calls them
    settle: Mapping[str, Settle]  # what only the whole table could say of a column's values
    digests: Sequence[Group]
    sample: pd.DataFrame  # rows spread evenly; the index has their positions in the source
    left_out: Mapping[str, int]  # rows without the target, and without the time
    has_time: bool  # any row of the source

    def groups(self, names: Sequence[str] | None = None) -> Iterator[dict[str, pa.Array]]:
        """Read these columns, by groups of GROUP_ROWS rows."""
        wanted = list(self.kinds if names is None else names)
        for path in sorted(self.folder.glob("rows-*.parquet")):
            with parquet.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
                for index in range(file.num_row_groups):
                    read = file.read_row_group(index, wanted, use_threads=False)
                    yield {name: self._finish(name, read[name].combine_chunks()) for name in wanted}

    def frames(self, names: Sequence[str] | None = None, numbered: bool = False) -> Iterator[pd.DataFrame]:
        """Read these columns as a table in memory has them, by groups; `numbered` by their positions in the source."""
        wanted = [*(self.kinds if names is None else names), *([POSITION] if numbered else [])]
        for columns in self.groups(wanted):
            positions = pd.Index(columns.pop(POSITION).to_numpy()) if numbered else None
            yield to_frame(self.kinds, columns, positions)

    def _finish(self, name: str, stored: pa.Array) -> pa.Array:
        return stored if name == POSITION else finish(stored, self.kinds[name], self.settle[name])


def read_each(table: TableOnDisk, step: int) -> pd.DataFrame:
    """Return each how-manyth row, as a table in memory has it; the index has their positions in the source."""
    taken: dict[str, list[pa.Array]] = {name: [] for name in (*table.kinds, POSITION)}
    seen = 0
    for columns in table.groups(list(taken)):
        size = len(next(iter(columns.values())))
        indices = pa.array(range(-seen % step, size, step), pa.int64())
        for name, values in columns.items():
            taken[name].append(values.take(indices))
        seen += size
    joined = {name: pa.concat_arrays(values) for name, values in taken.items()}
    return to_frame(table.kinds, joined, pd.Index(joined.pop(POSITION).to_numpy()))


def finish(stored: pa.Array, kind: str, settle: Settle) -> pa.Array:
    """Return what was stored in the type of its kind; zero has no sign."""
    settled = settle(stored).cast(ARROW_TYPES[kind])
    return pc.add(settled, pa.scalar(0, settled.type)) if pa.types.is_floating(settled.type) else settled


def to_frame(kinds: Mapping[str, str], columns: Columns, index: pd.Index | None = None) -> pd.DataFrame:
    """Return typed columns as a table in memory has them."""
    series = {name: to_series(kinds[name], [values]).reset_index(drop=True) for name, values in columns.items()}
    frame = pd.DataFrame(series, copy=False)
    return frame if index is None else frame.set_axis(index)
