"""What a table on disk asks of a reader of a column: its batches, and at the end what they are."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa


class DiskReader(Protocol):
    """Collects the batches of a column until they are taken to disk."""

    @property
    def bytes(self) -> int:
        """The size of the batches."""

    @property
    def settles_late(self) -> bool:
        """Whether only the whole column says what its values are; once it doesn't, more batches may change that."""

    def drain(self) -> Iterator[pa.Array]:
        """Yield the batches as plain arrays and forget each."""

    def settle(self, drained: pa.Array) -> pa.Array:
        """Return some of what was drained as what it is, after the last batch."""

    def name_kind(self, drained: pa.DataType) -> str:
        """Return what a digest calls the column, whose batches have that type."""
