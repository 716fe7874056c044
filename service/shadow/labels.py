"""Labels as POST /feedback takes them, on their way to the pairs of answers."""

import asyncio

import orjson

from ekiben.contract.schema import Target
from ekiben.service.row_log.labels import Keep, Kept, Labels, Receipt
from ekiben.service.shadow.overview import Overview

AT_ONCE = 1000  # labels: a millisecond


class ShadowLabels:
    """Gives labels to the comparison once they are kept, if they are; belongs to one event loop."""

    def __init__(self, target: Target, overview: Overview, keep: Keep | None) -> None:
        """`keep`: into the label log, if there is one."""
        classes = [orjson.dumps(one).decode() for one in target.classes]
        self._positions: dict[Kept, float] = {spelled: float(index) for index, spelled in enumerate(classes)}
        self._overview, self._keep = overview, keep

    async def keep(self, labels: Labels) -> Receipt:
        """Take labels; without a log the receipt is of pairs: which had a label, and which are not here, or not yet."""
        receipt = await self._keep(labels) if self._keep else None
        repeated = unknown = 0
        for first in range(0, len(labels), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            ids = [one.encode() for one in labels.ids[part]]
            matched = self._overview.receive(ids, [self._to_number(value) for value in labels.values[part]])
            repeated += matched.repeated
            unknown += len(matched.unplaced)
            await asyncio.sleep(0)
        added = len(labels) - repeated
        return receipt or Receipt(added, labels.given - added, unknown, 0)

    def _to_number(self, value: Kept) -> float:
        return self._positions[value] if isinstance(value, str) else value
