"""Gives labels that were kept to whoever wants them, wherever they are kept."""

import logging
from collections.abc import Callable

from ekiben.service.row_log.labels import Keep, Labels, Receipt

logger = logging.getLogger("bentoml.service")


class WatchedLabels:
    """What a version keeps its labels in, and who watches them; belongs to one event loop."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self.watchers: dict[str, Callable[[Labels], None]] = {}  # by who they are

    async def keep(self, labels: Labels) -> Receipt:
        """Keep labels, and raise what that raises; then the watchers have them."""
        receipt = await self._keep(labels)
        for name, watcher in self.watchers.items():
            try:
                watcher(labels)
            except Exception:  # the boundary: what was kept is kept, whoever can't use it
                logger.exception("%s: labels can't be taken", name)
        return receipt
