"""Whether the network can tell a column's numbers apart: it computes in float32, which has seven digits."""

import numpy as np

from ekiben.training.proposal.column import Column
from ekiben.training.proposal.reading import Reading

EXACT = 2**24  # up to it float32 holds every whole number
LOST_SHARE = 0.5  # of the different numbers
UNIQUE_SHARE = 0.95


def find_indistinct(number: Reading, column: Column) -> tuple[bool, str]:
    """Return whether the numbers had better be a category, and what float32 makes of them."""
    if max(abs(number.low), abs(number.high)) <= EXACT or len(column.distinct) < 2:
        return False, ""
    wide = number.read(column.distinct).drop_null().to_numpy()
    narrow = len(np.unique(wide.astype(np.float32)))
    if narrow > (1 - LOST_SHARE) * len(column.distinct):
        return False, ""
    told = f"float32 can't tell them apart: {len(column.distinct):,} values are {narrow:,} for the network"
    return number.whole and column.share_distinct < UNIQUE_SHARE, told
