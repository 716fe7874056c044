"""Which cycles of its moments there are to learn of: of dates without a clock the hour is a constant."""

import numpy as np

from ekiben.contract.spellings.calendar import SECONDS_PER_DAY
from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.timestamps import DAYS_PER_WEEK
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.reading import Reading

ALL_CYCLES = ["hour", "weekday", "day_of_year"]
CLOCK_CYCLES = ["hour"]  # of a time of day
ONLY_ORDER = "it only puts the rows in order: in its dates there is no cycle to learn"


def list_cycles(column: Column, reading: Reading) -> list[str]:
    """Return the cycles in which a column's moments differ; where every month begins, the weekday is chance."""
    if is_clock(reading.spelling.format):
        return CLOCK_CYCLES
    seconds = np.unique(reading.read(column.distinct).drop_null().to_numpy().astype(np.int64))
    if len(seconds) < 2:
        return ALL_CYCLES  # missing or not: that says something
    days = np.unique(seconds // SECONDS_PER_DAY)
    dates = days.astype("datetime64[D]")
    are_months = bool((dates == dates.astype("datetime64[M]")).all()) and len(days) > 1
    differs = {
        "hour": len(np.unique(seconds % SECONDS_PER_DAY)) > 1,
        "weekday": len(np.unique(days % DAYS_PER_WEEK)) > 1 and not are_months,
        "day_of_year": len(np.unique(dates - dates.astype("datetime64[Y]").astype("datetime64[D]"))) > 1,
    }
    return [cycle for cycle, is_one in differs.items() if is_one]
