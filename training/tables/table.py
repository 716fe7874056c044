"""What was read of a source: typed columns, what did not fit them, and the digest of it all."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import pandas as pd

from ekiben.training.sources.lake import LakeVersion
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.on_disk import TableOnDisk, read_each
from ekiben.training.versions.columns import find_kind, settle
from ekiben.training.versions.digest import Fingerprint, fingerprint
from ekiben.training.versions.known import Reading, recall, remember


@dataclass(frozen=True)
class Table:
    """What was read of a source: the rows that have a target."""

    frame: pd.DataFrame  # features, target, time and slices, in the types of their kinds; of a table on disk a sample
    columns: tuple[str, ...]  # of the source, also those that were not read
    absent: tuple[str, ...]  # of the problem's columns
    parse_failures: tuple[ParseFailure, ...]
    source: str  # how the source calls itself; never with a password
    notes: tuple[str, ...]  # what the source or the reader left out
    origin: LakeVersion | None = None  # of a lake's table, which can be read again
    step: int = 1  # each how-manyth of the rows was taken
    reading: Reading | None = None  # of files, whose rows are all there still
    on_disk: TableOnDisk | None = None  # all the rows, if they are too many for memory
    positions: pd.Index | None = None  # of the frame's rows in the source, from 0; None: as the frame has them

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.on_disk.rows if self.on_disk else len(self.frame)

    @property
    def numbered(self) -> pd.DataFrame:
        """The frame with the rows' positions in the source as its index."""
        return self.frame if self.positions is None else self.frame.set_axis(self.positions)

    def find_span(self, time: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the earliest and the latest moment of a column."""
        frames = self.on_disk.frames([time]) if self.on_disk else [self.frame]
        ends = [(moments.min(), moments.max()) for moments in (frame[time] for frame in frames)]
        return min(first for first, _ in ends), max(last for _, last in ends)

    def find_ends(self, time: str) -> tuple[str, str]:
        """Return the same as strings."""
        first, last = self.find_span(time)
        return str(first), str(last)

    def thin(self, rows: int) -> "Table":
        """Return a table with about that many of the rows, evenly spread."""
        step = max(1, self.rows // rows)
        return self.take_each(step) if step > 1 else self

    def take_each(self, step: int) -> "Table":
        """Return a table with each how-manyth of the rows."""
        frame = read_each(self.on_disk, step) if self.on_disk else self.numbered.iloc[::step]
        taken, positions = settle(frame), frame.index
        return replace(self, frame=taken, step=self.step * step, reading=None, on_disk=None, positions=positions)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The digests of the rows, by groups; of a snapshot that was read again, those of what was kept."""
        failures = sorted((asdict(failure) for failure in self.parse_failures), key=lambda failure: failure["column"])
        unread = {"absent": sorted(self.absent), "parse_failures": failures}
        if self.on_disk:
            return Fingerprint(self.on_disk.kinds, self.on_disk.digests, unread)
        if self.reading is None or self.reading.rows[-1] != len(self.frame):
            return fingerprint(self.frame, unread)
        kinds = {str(name): find_kind(self.frame[name]) for name in self.frame}
        found = fingerprint(self.frame, unread, recall(self.reading, kinds))
        remember(self.reading, found)
        return found

    @property
    def digest(self) -> str:
        """The digest of what was read: the same for the same values in the same rows, wherever they came from."""
        return self.fingerprint.digest
