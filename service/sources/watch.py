"""Watches which version an alias of an MLflow registry names, and hands over each new one.

What is served stays whatever the registry does: hang, lie, send too much, or be away. Of each kind of trouble the log
has one sentence, and one when it is over; a counter counts all. After failures it is asked less often, and never by
all workers and replicas in the same moment.
"""

import logging
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.service.errors import BadRequest
from ekiben.service.settings import Settings
from ekiben.service.sources.access import read_access
from ekiben.service.sources.address import parse_source
from ekiben.service.sources.cache import Cache
from ekiben.service.sources.hints import Hints
from ekiben.service.sources.registry import Registered, Registry, RegistryFailed
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
JITTER = 0.2  # of a wait, more or less
LONGEST_WAIT_S = 600.0  # after many failures
MAX_DOUBLINGS = 10
UNCHANGED, NEW, REJECTED = "unchanged", "new", "rejected"  # in the metrics, besides the kinds of trouble
OnVersion = Callable[[Path, str], Awaitable[object]]


class RegistryWatch:
    """Looks at the registry again and again; belongs to one event loop."""

    def __init__(self, registry: Registry, cache: Cache, hints: Hints, on_version: OnVersion, served: str) -> None:
        """`on_version` gets the folder and the manifest's digest of each version but the one that is `served` already.

        A UserError or BadRequest that it raises rejects the version: it is not handed over again.
        """
        self._registry, self._cache, self._hints = registry, cache, hints
        self._on_version = on_version
        self._settled = served  # the digest that the alias had when something came of it
        self._folder: Path | None = None
        self._troubles: set[str] = set()
        self._failures = 0

    async def run(self, poll_s: float) -> None:
        """Look now, and then every so many seconds or at a hint, for ever."""
        while True:
            await self.look()
            wait_s = min(poll_s * 2 ** min(self._failures, MAX_DOUBLINGS), max(poll_s, LONGEST_WAIT_S))
            await self._hints.wait(wait_s * random.uniform(1 - JITTER, 1 + JITTER))

    async def look(self) -> None:
        """Look once, and hand over what is new."""
        try:
            registered = await self._registry.find_version()
            result = UNCHANGED if registered.digest == self._settled else await self._hand_over(registered)
        except RegistryFailed as error:
            self._note(error.kind, str(error))
        except Exception as error:  # the boundary: what is served goes on, whatever this is
            self._note(type(error).__name__, f"looking for {self._registry.source} failed: {error}")
        else:
            self._recover(result)

    async def _hand_over(self, registered: Registered) -> str:
        folder = await self._cache.fetch(registered, self._folder)
        self._hints.pass_on()  # the other workers need not wait for their turn
        try:
            await self._on_version(folder, registered.digest)
        except (UserError, BadRequest) as error:
            logger.warning("version %s of %s is rejected: %s", registered.version, self._registry.source, error)
            self._settled = registered.digest
            return REJECTED
        self._settled, self._folder = registered.digest, folder
        return NEW

    def _note(self, kind: str, sentence: str) -> None:
        metrics.count_registry_look(kind)
        self._failures += 1
        if kind not in self._troubles:
            self._troubles.add(kind)
            logger.warning("%s; what is served stays", sentence)

    def _recover(self, result: str) -> None:
        metrics.count_registry_look(result)
        if self._troubles:
            logger.info("%s can be looked up again", self._registry.source)
        self._troubles.clear()
        self._failures = 0


async def watch_registry(
    settings: Settings, on_version: OnVersion, served: str = "", hints: Hints | None = None
) -> None:
    """Hand over each version that the alias of MODEL_SOURCE comes to name, until cancelled.

    `on_version` gets its folder and its manifest's digest, which is not that of the version `served` as this begins. A
    UserError or BadRequest that it raises rejects the version. Raises InvalidSettings if no server is named.
    """
    registry = Registry(read_access(os.environ), parse_source(settings.model_source))
    cache = Cache(registry)
    try:
        await RegistryWatch(registry, cache, hints or Hints(cache.folder), on_version, served).run(
            settings.registry_poll_s
        )
    finally:
        await registry.close()
