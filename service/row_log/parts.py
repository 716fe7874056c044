"""Writes a Parquet file, without holding up the event loop for longer than a millisecond or two.

arro3 keeps Python's lock while it encodes, 1 µs a row. It gives what is done to a file object: there the lock is let
go after a millisecond, for row groups are small. In one piece 10,000 rows were 15 ms in which nobody got an answer.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from arro3.core import RecordBatch, Table
from arro3.io import write_parquet

from ekiben.service.row_log.patience import Patience

GROUP_ROWS = 2048


class PatientBuffer(io.BytesIO):
    """Lets other threads run after a write."""

    def __init__(self) -> None:
        super().__init__()
        self._patience = Patience()

    def write(self, content: Any) -> int:
        """Keep the bytes and let go of Python's lock."""
        written = super().write(content)
        self._patience.pause()
        return written


def write_part(batches: Sequence[RecordBatch], repeated: Sequence[str], metadata: Mapping[str, str]) -> bytes:
    """Return a Parquet file of the batches; `repeated` columns hold few values."""
    buffer = PatientBuffer()
    write_parquet(
        Table.from_batches(batches),
        buffer,
        compression="snappy",
        dictionary_enabled=False,
        column_dictionary_enabled=dict.fromkeys(repeated, True),
        key_value_metadata=dict(metadata),
        max_row_group_size=GROUP_ROWS,
    )
    return buffer.getvalue()
