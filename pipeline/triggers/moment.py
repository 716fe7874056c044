"""Moments on two clocks: the wall's, which people set and which jumps, and one that only runs on.

Between two moments of one boot the steady clock alone counts, so a wall clock that jumps by years, forth or back, moves
no deadline. Across a restart of the machine there is only the wall's: what then seems to be still to come is taken to
be now, so a clock that was wrong costs one cool-down at most, and not the years until it is right again.
"""

import time
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")


class Moment(BaseModel):
    """When something was; `steady_s` runs on while the machine sleeps, and begins anew with each boot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall: datetime  # UTC
    boot: str
    steady_s: float

    def since(self, earlier: "Moment") -> float:
        """Return the seconds that have passed, never less than 0."""
        if earlier.boot == self.boot:
            return max(0.0, self.steady_s - earlier.steady_s)
        return max(0.0, (self.wall - earlier.wall).total_seconds())

    def take_over(self, earlier: "Moment") -> "Moment":
        """Return an earlier moment as this boot's: from here on the steady clock counts."""
        if earlier.boot == self.boot:
            return earlier
        return earlier.model_copy(update={"boot": self.boot, "steady_s": self.steady_s - self.since(earlier)})


def read_now() -> Moment:
    """Return the present."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(wall=datetime.fromtimestamp(time.time(), UTC), boot=_read_boot(), steady_s=time.clock_gettime(clock))


@cache
def _read_boot() -> str:
    """Return what names this boot of the machine; where nothing does, this process is taken for one."""
    try:
        return BOOT_FILE.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return uuid.uuid4().hex
