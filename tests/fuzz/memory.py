"""What this process holds."""

import gc
from collections import Counter
from pathlib import Path

KIB_PER_PAGE = 4


def count_memory() -> dict[str, int]:
    """Return the resident KiB and the number of objects that the collector knows."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"KiB": pages * KIB_PER_PAGE, "objects": len(gc.get_objects())}


def count_kinds() -> Counter[str]:
    """Return how many objects there are by type."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects())
