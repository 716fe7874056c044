"""The rows of a kept table, read group by group: into memory, or onto the disk where they are too many."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from ekiben.training.versions.columns import to_series


class KeptColumn:
    """Collects the groups of one column; its values are what they were kept as."""

    settles_late = False

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._groups: list[pa.Array] = []

    @property
    def bytes(self) -> int:
        """The size of the groups."""
        return sum(group.nbytes for group in self._groups)

    def add(self, values: pa.Array) -> None:
        """Take the next group."""
        self._groups.append(values)

    def drain(self) -> Iterator[pa.Array]:
        """Yield the groups and forget each."""
        while self._groups:
            yield self._groups.pop(0)

    def settle(self, drained: pa.Array) -> pa.Array:
        """Return the values as they are."""
        return drained

    def name_kind(self, drained: pa.DataType) -> str:
        """Return what a digest calls the column."""
        return self._kind

    def finish(self) -> "pd.Series":
        """Return the whole column."""
        return to_series(self._kind, list(self.drain()))
