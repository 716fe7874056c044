"""Encoded rows in files: a slice of them is read into memory, and nothing of the rest stays there.

They are written with plain writes: to a disk that is full these fail with an error, where a mapped page kills the
process.
"""

import mmap
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema

CHUNK_BYTES = 1 << 24  # of a mapped file that are touched at once
TAKEN_ROWS = 1 << 12  # each in its own place: a page that is touched brings up to a megabyte around it


class StoredArray(np.memmap):
    """A mapped file whose slices are copies, so that pages that were read don't count as this process's for long."""

    def __getitem__(self, index: Any) -> Any:
        mapped = self.view(np.ndarray)
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind in "iu":
            return self._take(mapped, index)
        if not isinstance(index, slice):
            taken = mapped[index]
            taken = taken.copy() if np.may_share_memory(taken, mapped) else taken
            self._release()
            return taken
        start, stop, step = index.indices(len(mapped))
        row_bytes = max(1, mapped.itemsize * int(np.prod(mapped.shape[1:])))
        rows = max(abs(step), CHUNK_BYTES // row_bytes // abs(step) * abs(step))
        parts = []
        for first in range(start, stop, rows if step > 0 else -rows):
            last = min(first + rows, stop) if step > 0 else max(first - rows, stop)
            parts.append(np.array(mapped[first : last if last >= 0 else None : step]))
            self._release()
        return np.concatenate(parts) if parts else np.array(mapped[index])

    def _take(self, mapped: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return rows in the order given, read in that of the file."""
        taken = np.empty((len(positions), *mapped.shape[1:]), mapped.dtype)
        order = np.argsort(positions)
        for first in range(0, len(order), TAKEN_ROWS):
            places = order[first : first + TAKEN_ROWS]
            taken[places] = mapped[positions[places]]
            self._release()
        return taken

    def _release(self) -> None:
        if (pages := getattr(self, "_mmap", None)) is not None:
            pages.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class StoredRows:
    """Encoded rows, their labels and, where they have any, weights, on disk."""

    encoded: Encoded
    labels: np.ndarray
    weights: np.ndarray | None


class RowWriter:
    """Writes encoded rows, their labels and, where rows are `weighted`, their weights.

    Rows that are added as `later` ones come after all others, and can be left out.
    """

    def __init__(self, folder: Path, schema: Schema, weighted: bool) -> None:
        label_type = {"regression": np.float64, "binary": np.float32, "multiclass": np.int32}[schema.target.task]
        self._widths = {"numbers": len(schema.number_names), "codes": len(schema.categories)}
        self._types = {"numbers": np.float32, "codes": np.int32, "labels": label_type}
        self._types |= {"weights": np.float64} if weighted else {}
        self._paths = {name: folder / f"{name}.bin" for name in self._types}
        self._later = {name: folder / f"{name}-later.bin" for name in self._types}
        self._files: tuple[dict[str, IO[bytes]], ...] = ()
        self._open = ExitStack()
        self._rows = [0, 0]

    def __enter__(self) -> Self:
        self._files = tuple(
            {name: self._open.enter_context(path.open("wb")) for name, path in paths.items()}
            for paths in (self._paths, self._later)
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()  # all of them, also if what one still holds finds the disk full

    def add(self, encoded: Encoded, labels: np.ndarray, weights: np.ndarray | None = None, later: bool = False) -> None:
        """Write rows."""
        arrays = {"numbers": encoded.numbers, "codes": encoded.codes, "labels": labels}
        arrays |= {} if weights is None else {"weights": weights}
        for name, array in arrays.items():
            self._files[later][name].write(np.ascontiguousarray(array, self._types[name]).data)
        self._rows[later] += len(labels)

    def open(self) -> tuple[StoredRows, StoredRows]:
        """Return what was written, without later rows and with them, in the same files."""
        for name, path in self._later.items():
            with path.open("rb") as later, self._paths[name].open("ab") as file:
                shutil.copyfileobj(later, file)
            path.unlink()
        return self._open_first(self._rows[0]), self._open_first(sum(self._rows))

    def _open_first(self, rows: int) -> StoredRows:
        numbers, codes = (self._map(name, (rows, width)) for name, width in self._widths.items())
        weights = self._map("weights", (rows,)) if "weights" in self._types else None
        return StoredRows(Encoded(numbers, codes), self._map("labels", (rows,)), weights)

    def _map(self, name: str, shape: Sequence[int]) -> np.ndarray:
        if not np.prod(shape):
            return np.empty(shape, self._types[name])
        return StoredArray(self._paths[name], self._types[name], "r", shape=tuple(shape))
