"""What becomes of a dead worker's metrics: its counts go on in the next one, its gauges end."""

import os
from pathlib import Path


def inherit_file(path: Path) -> None:
    """Let a worker that begins go on with the file of a dead one: counts don't jump, restarts take no more room."""
    if path.exists():
        return
    kind = path.name.rpartition("_")[0]
    for dead in filter(is_dead, path.parent.glob(f"{kind}_*.db")):
        try:
            if is_live_gauge(dead):
                dead.unlink()
            else:
                dead.rename(path)
                return
        except OSError:  # another worker was first, or the folder can't be written
            continue


def is_live_gauge(path: Path) -> bool:
    """Return whether the file's values end with their process."""
    return path.name.startswith("gauge_live")


def is_dead(path: Path) -> bool:
    """Return whether the process that wrote the file has ended."""
    try:
        os.kill(int(path.stem.rpartition("_")[2]), 0)
    except (ProcessLookupError, ValueError):
        return True
    except PermissionError:
        return False
    return False
