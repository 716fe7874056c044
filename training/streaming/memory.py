"""How much memory training may take, and what follows from it: `ekiben train --memory 2GB`."""

import ctypes
import math
import os
import resource
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ekiben.contract.errors import UserError

BASE_BYTES = 1_200_000_000  # what training a few rows takes, most of it for TensorFlow's and MLflow's code
MIN_BYTES = 1_500_000_000
DEFAULT_SHARE = 0.5  # of what the machine or the container has
# Of a row in memory there are its typed values and what pandas and the network have of it, about 4 copies: 5 million
# rows of 92 bytes took 2.8 GB more than a few, 0.8 of it a step of the fit. That grows with the table to 16,384 rows.
COPIES = 8
VALUE_BYTES = 4
SAMPLE_COPIES = 40  # of a row that is looked at more closely: its text, its bins and its scores in double precision
MAX_SAMPLE_ROWS, MIN_SAMPLE_ROWS = 500_000, 20_000
# What a step of the fit holds of a row: the towers' layers and their gradients, and each column's bins and vectors.
STEP_BYTES, STEP_COLUMN_BYTES = 40_000, 400
STEP_SHARE = 0.5  # of what the libraries leave; the samples are there, too
MIN_BATCH_ROWS = 512
CGROUPS = Path("/sys/fs/cgroup")
FILES = ("memory.max", "memory/memory.limit_in_bytes")  # version 2 and 1


@dataclass(frozen=True)
class Budget:
    """The memory a training run may take at its peak."""

    bytes: int

    @property
    def table_bytes(self) -> int:
        """How large typed rows may become in memory before they go to disk."""
        return (self.bytes - BASE_BYTES) // COPIES

    def sample_rows(self, columns: int) -> int:
        """Return how many rows may be looked at in memory at once."""
        rows = (self.bytes - BASE_BYTES) // (SAMPLE_COPIES * VALUE_BYTES * columns)
        return min(MAX_SAMPLE_ROWS, max(MIN_SAMPLE_ROWS, rows))

    def batch_rows(self, columns: int) -> int:
        """Return how many rows a step of the fit may take, an even number."""
        rows = int(STEP_SHARE * (self.bytes - BASE_BYTES) / (STEP_BYTES + STEP_COLUMN_BYTES * columns))
        return max(MIN_BATCH_ROWS, rows // 2 * 2)


def find_budget(given: int | None) -> Budget:
    """Return the memory given, or half of what the machine or container has; raise UserError if it is too little."""
    if given is not None and given < MIN_BYTES:
        base, least = format_bytes(BASE_BYTES), format_bytes(MIN_BYTES)
        raise UserError(f"--memory: the libraries alone take {base}: give {least} or more, not {format_bytes(given)}")
    if given is not None:
        return Budget(given)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [pages, *_read_cgroup(), *([soft] if soft != resource.RLIM_INFINITY else [])]
    return Budget(max(MIN_BYTES, int(DEFAULT_SHARE * min(limits))))


def suggest_memory(table_bytes: float) -> str:
    """Return what to give as --memory so that typed rows of that size are held in it."""
    return f"{math.ceil((BASE_BYTES + COPIES * table_bytes) / 1e8) / 10:.1f}GB"


def format_bytes(size: float) -> str:
    """Return a size for a person."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def release_memory() -> None:
    """Give back to the system what Arrow and glibc keep of what was freed."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries keep less
    if trim:
        trim(0)


def _read_cgroup() -> list[int]:
    limits = []
    for name in FILES:
        try:
            text = (CGROUPS / name).read_text().strip()
        except OSError:
            continue
        limits += [int(text)] if text.isdigit() else []  # "max" is none
    return limits
