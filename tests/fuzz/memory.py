"""What this process holds."""

import ctypes
import gc
from collections import Counter
from pathlib import Path

KIB_PER_PAGE = 4
FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class MallInfo(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


_LIBC = ctypes.CDLL(None)
_LIBC.mallinfo2.restype = MallInfo


def count_memory() -> dict[str, int]:
    """Return the resident KiB, those of them that malloc has given out, and how many objects the collector knows."""
    gc.collect()
    malloc = _LIBC.mallinfo2()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    given = (malloc.uordblks + malloc.hblkhd) // 1024
    return {"KiB": pages * KIB_PER_PAGE, "malloc KiB": given, "objects": len(gc.get_objects())}


def count_kinds() -> Counter[str]:
    """Return how many objects there are by type."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects())
