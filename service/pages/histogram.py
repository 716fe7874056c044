"""A distribution's counts as a picture: the shares of the rows in bars of one width, from end to end."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ekiben.contract.reference.bins import NumberBins
from ekiben.contract.reference.reference import Distribution

BARS = 40
MIN_EDGES = 5  # of fewer, most rows have one value, and it is the tail that there is to see
TAIL = 1.0  # as far beyond the outermost edges as these lie apart: one stray value must not flatten all others


def draw(distribution: Distribution) -> dict[str, Any] | None:
    """Return where the bars begin and end, `low` and `high`, and each one's share of the rows; None of no numbers."""
    bins = distribution.bins
    if not isinstance(bins, NumberBins) or distribution.span is None:
        return None
    low, high = find_ends(bins.edges, *map(float, distribution.span))
    if not low < high:
        return None
    places = [low, *(min(max(edge, low), high) for edge in bins.edges), high]
    shares = [0.0] * BARS
    for (start, end), share in zip(pairwise(places), distribution.shares, strict=False):
        _pour(shares, (start - low) / (high - low), (end - low) / (high - low), share)
    return {"low": low, "high": high, "shares": [round(share, 5) for share in shares]}


def find_ends(edges: Sequence[float], least: float, greatest: float) -> tuple[float, float]:
    """Return the least and the greatest value, or where the tail is cut."""
    if len(edges) < MIN_EDGES:
        return least, greatest
    reach = TAIL * (edges[-1] - edges[0])
    return max(least, edges[0] - reach), min(greatest, edges[-1] + reach)


def _pour(shares: list[float], start: float, end: float, share: float) -> None:
    """Spread a share evenly over the bars between two positions, 0 to 1; what has no width goes into one bar."""
    first, last = start * BARS, end * BARS
    if last - first < 1e-6:
        shares[min(int(last), BARS - 1)] += share
        return
    for bar in range(int(first), min(int(last), BARS - 1) + 1):
        inside = min(last, bar + 1) - max(first, bar)
        if inside > 0:
            shares[bar] += share * inside / (last - first)
