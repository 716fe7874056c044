"""A random sample of rows, drawn while the table passes by."""

import numpy as np
import pyarrow as pa

MAX_ROWS, MIN_ROWS = 10_000, 2_000
CELLS = 1_000_000  # of a wide table fewer rows are kept


class Sample:
    """Keeps rows, each as likely as any other; the same rows of the same table each time."""

    def __init__(self, columns: int) -> None:
        self._size = min(MAX_ROWS, max(MIN_ROWS, CELLS // columns))
        self._random = np.random.default_rng(0)
        self._keys = np.empty(0)
        self._rows: pa.Table = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Let the next batch pass by: the rows with the smallest keys are kept."""
        keys = self._random.random(batch.num_rows)
        likely = np.flatnonzero(keys < self._limit())
        if not len(likely):
            return
        chosen = pa.Table.from_batches([batch.take(pa.array(likely))])
        self._keys = np.concatenate([self._keys, keys[likely]])
        rows = chosen if self._rows is None else pa.concat_tables([self._rows, chosen])
        if len(self._keys) > self._size:
            kept = np.argpartition(self._keys, self._size)[: self._size]
            self._keys, rows = self._keys[kept], rows.take(pa.array(kept))
        self._rows = rows.combine_chunks()

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return len(self._keys)

    @property
    def table(self) -> pa.Table:
        """The rows that are kept."""
        return self._rows

    def column(self, name: str) -> pa.Array:
        """Return one column of the sample, (rows,)."""
        column = self._rows.column(name)
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)

    def _limit(self) -> float:
        return float(self._keys.max()) if len(self._keys) == self._size else 1.0
