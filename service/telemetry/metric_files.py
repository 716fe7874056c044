"""A worker's counters: in memory, and for as long as the disk takes them in files that the other workers read.

prometheus_client maps its files into memory: on a full disk the first write to a page that has no block yet ends
the process with SIGBUS. Here a write that fails ends the publishing, and nothing else.
"""

import logging
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict

from ekiben.service.telemetry.metric_inheritance import inherit_file

logger = logging.getLogger("bentoml.service")
FIRST_BYTES = 64 * 1024  # some 300 series; the largest file of a service that answers every protocol has 200
ENTRY_BYTES = 32  # of a series at most, besides its name: a length, padding, value and time
COMPLETE = "complete"  # beside the files for as long as every worker publishes
DAMAGED = (struct.error, RuntimeError, UnicodeDecodeError)  # what reading a file raises that is not whole

Series = Iterable[tuple[str, float, float, int]]  # name and labels, value, time, position


class PublishedBytes(bytearray):
    """Bytes in memory; a file holds the same until it can't, which `report` is then called with."""

    def __init__(self, path: str, report: Callable[[Path, OSError], None]) -> None:
        super().__init__()
        self._path = Path(path)
        self._report = report
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            self += os.pread(self._file, os.fstat(self._file).st_size, 0)
        except OSError as error:
            self._give_up(error)

    def __setitem__(self, where: Any, data: Any) -> None:
        super().__setitem__(where, data)
        self._publish(data, where.start)

    def grow(self, size: int) -> None:
        """Add zeros; the file gets its blocks now, while a lack of them is an error that can be caught."""
        begin = len(self)
        self += bytes(size - begin)
        self._publish(bytes(size - begin), begin)

    def close(self) -> None:
        """Publish nothing more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _publish(self, data: bytes, begin: int) -> None:
        try:
            while self._file is not None and data:
                written = os.pwrite(self._file, data, begin)  # not all of it if the disk is nearly full
                data, begin = data[written:], begin + written
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.close()
        self._report(self._path, error)
        try:
            self._path.with_name(COMPLETE).unlink(missing_ok=True)
        except OSError as other:
            logger.debug("%s stays: %s", COMPLETE, other)


class Counters(mmap_dict.MmapedDict):
    """All metrics of one kind and process, in prometheus_client's format, but in PublishedBytes."""

    def __init__(self, filename: str, owner: "CounterFiles") -> None:
        inherit_file(Path(filename))
        self._fname = filename
        self._owner = owner
        self._m: Any = PublishedBytes(filename, owner.report)
        try:
            self._used = _used(self._m)
            self._positions = {key: position for key, _, _, position in _read(self._m, self._used)}
        except DAMAGED:
            self._start_afresh()
        self._capacity = len(self._m)

    def _start_afresh(self) -> None:
        if len(self._m) < FIRST_BYTES:
            self._m.grow(FIRST_BYTES)
        self._positions: dict[str, int] = {}
        self._used = 8
        self._m[0:4] = struct.pack("i", self._used)

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + ENTRY_BYTES > self._capacity:
            self._capacity *= 2
            self._m.grow(self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Publish nothing more; prometheus_client asks for it in a process that was forked."""
        self._owner.opened.pop(self._fname, None)
        self._m.close()

    def read_all(self) -> Series:
        """Return what was counted."""
        return _read(self._m, _used(self._m))


class CounterFiles:
    """A process's counters; stands in for prometheus_client's class of them, of which it asks these two things."""

    def __init__(self) -> None:
        self.opened: dict[str, Counters] = {}  # by file name
        self._reported = False

    def __call__(self, filename: str, read_mode: bool = False) -> Counters:
        """Return the counters of a file, which they will be published in."""
        counters = self.opened[filename] = Counters(filename, self)
        return counters

    def read_all_values_from_file(self, filename: str) -> Series:
        """Return what this or another process counted; nothing if its file is gone or damaged."""
        counters = self.opened.get(filename)
        try:
            if counters:
                return counters.read_all()
            data = Path(filename).read_bytes()
            return _read(data, _used(data))
        except (OSError, *DAMAGED):
            return []

    def report(self, path: Path, error: OSError) -> None:
        """Log, once, that a file can't be written."""
        if not self._reported:
            self._reported = True
            consequence = "this worker keeps its metrics in memory, and with several workers /metrics answers 503"
            advice = "make room and restart the service"
            logger.warning("%s can't be written (%s): %s; %s", path, error.strerror, consequence, advice)


def _used(data: bytes | bytearray) -> int:
    """Return how many bytes are in use; raise one of DAMAGED if the data can't say."""
    used = int(struct.unpack_from("i", data)[0])
    if not 8 <= used <= len(data):
        raise RuntimeError(f"{used} bytes of {len(data)} are in use")
    return used


def _read(data: bytes | bytearray, used: int) -> Series:
    """Return what is in use; raise one of DAMAGED if that is not whole."""
    series = list(mmap_dict._read_all_values(data, used))  # type: ignore[no-untyped-call]
    if any(not key for key, *_ in series):
        raise RuntimeError("a series without a name")
    return series
