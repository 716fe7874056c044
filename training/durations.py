"""Lengths of time as a problem file writes them, such as "7d": read and bounded in one way."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from ekiben.contract.spellings.durations import read_duration

DAY_S = 86_400.0
LONGEST_S = 3660 * DAY_S  # ten years


def check_duration(given: Any) -> str:
    """Return a duration such as "7d" or "12h", as it is written; raise ValueError for anything else."""
    seconds = read_duration(given.strip()) if isinstance(given, str) else None
    if seconds is None or not 0 < seconds <= LONGEST_S:
        cron = "; let cron itself call `ekiben run`" if isinstance(given, str) and len(given.split()) >= 5 else ""
        raise ValueError(f'expected a duration such as "7d" or "12h", at most ten years, got {given!r}{cron}')
    return str(given)


def read_seconds(duration: str) -> float:
    """Return the seconds of a duration that was checked."""
    return read_duration(duration.strip()) or 0.0


Duration = Annotated[str, BeforeValidator(check_duration)]
