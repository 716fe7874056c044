"""Rows spread evenly over a stream whose length is not known before its end."""

import pyarrow as pa


class EvenSample:
    """Keeps each how-manieth row, fewer as more come: in the end between `rows` and twice as many, or all."""

    def __init__(self, rows: int) -> None:
        self._wanted = rows
        self._step, self._seen = 1, 0
        self._kept: list[pa.Table] = []
        self._held = 0

    def add(self, rows: pa.Table) -> None:
        """Look at the next rows."""
        first = -self._seen % self._step
        self._seen += len(rows)
        taken = rows.take(pa.array(range(first, len(rows), self._step), pa.int64()))
        self._kept.append(taken)
        self._held += len(taken)
        while self._held > 2 * self._wanted:
            self._thin()

    def take(self) -> pa.Table:
        """Return the rows kept."""
        return pa.concat_tables(self._kept).combine_chunks()

    @property
    def step(self) -> int:
        """How many rows one that is kept stands for."""
        return self._step

    @property
    def types(self) -> dict[str, pa.DataType]:
        """The types of the columns."""
        return {field.name: field.type for field in self._kept[0].schema}

    def _thin(self) -> None:
        whole = self.take()
        thinned = whole.take(pa.array(range(0, len(whole), 2), pa.int64()))
        self._kept, self._held, self._step = [thinned], len(thinned), 2 * self._step
