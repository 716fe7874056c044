"""Finds in an Arrow schema what Parquet's own doesn't say: which numbers are durations.

Arrow's writers keep their schema, a flatbuffer in base64, in the file's metadata. A duration is stored as
a plain number, and would be taken for one.

Sources: https://github.com/apache/arrow/blob/main/format/Schema.fbs and Message.fbs,
https://flatbuffers.dev/internals/
"""

import base64
import struct

KEY = b"ARROW:schema"
DURATION = 18  # in the union Type
HEAD_BYTES = 8  # a continuation marker and a length, before the message
# Fields of the tables, by their order in the sources.
MESSAGE_HEADER, SCHEMA_FIELDS, FIELD_NAME, FIELD_TYPE, FIELD_TYPE_TABLE, DURATION_UNIT = 2, 1, 0, 2, 3, 0
TICKS = (1, 10**3, 10**6, 10**9)  # of a second, by the unit
MILLISECOND = 1  # what is not written


def find_durations(text: bytes) -> dict[str, int]:
    """Return the columns that are durations, and their ticks of a second; none where the schema can't be read."""
    try:
        return _Flatbuffer(base64.b64decode(text)[HEAD_BYTES:]).find_durations()
    except (struct.error, ValueError, IndexError):
        return {}


class _Flatbuffer:
    """Follows the offsets of a message; one that leads nowhere raises struct.error."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def find_durations(self) -> dict[str, int]:
        schema = self._follow(self._find(self._follow(0), MESSAGE_HEADER))
        vector = self._follow(self._find(schema, SCHEMA_FIELDS))
        count = min(self._number("<I", vector), len(self._data) // 4)
        fields = [self._follow(vector + 4 + 4 * index) for index in range(count)]
        durations = [field for field in fields if self._number("<B", self._find(field, FIELD_TYPE)) == DURATION]
        return {self._text(self._find(field, FIELD_NAME)): self._find_ticks(field) for field in durations}

    def _find_ticks(self, field: int) -> int:
        unit = self._find(self._follow(self._find(field, FIELD_TYPE_TABLE)), DURATION_UNIT)
        return TICKS[MILLISECOND if unit == len(self._data) else self._number("<H", unit)]

    def _text(self, index: int) -> str:
        start = self._follow(index)
        return self._data[start + 4 : start + 4 + self._number("<I", start)].decode()

    def _find(self, table: int, field: int) -> int:
        """Return where a table has a field, or where the data ends."""
        layout = table - self._number("<i", table)
        there = 4 + 2 * field < self._number("<H", layout)
        offset = self._number("<H", layout + 4 + 2 * field) if there else 0
        return table + offset if offset else len(self._data)

    def _follow(self, index: int) -> int:
        return index + self._number("<I", index)

    def _number(self, layout: str, index: int) -> int:
        if index < 0:
            raise ValueError(index)
        number: int = struct.unpack_from(layout, self._data, index)[0]
        return number
