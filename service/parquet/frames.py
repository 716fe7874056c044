"""What goes between the service and a process that reads Parquet, over one socket.

To the process: once a Job, as JSON behind its LENGTH; then files, each a HEAD and its bytes. From it, for
each file: frames, a FRAME and their bytes; a TABLE and its PIECEs or a FAULT, as JSON, then END or LAST.
"""

import struct
from dataclasses import dataclass

LENGTH = struct.Struct("<I")
HEAD = struct.Struct("<dI")  # the seconds it may take, and how many bytes it has
FRAME = struct.Struct("<BI")  # what it is, and how many bytes it has
TABLE, PIECE, FAULT, END, LAST = range(5)  # LAST: the process reads no more files
MAX_PIECE_BYTES = 2**20  # parsed in 2 ms


@dataclass(frozen=True)
class Job:
    """What is the same for every file."""

    features: tuple[str, ...]
    max_rows: int
    max_bytes: int  # that the rows may unpack to
    memory_bytes: int  # that the process may have beyond what it starts with
    optional: tuple[str, ...] = ()  # features that a file may lack
