"""Notices that the newest version of a model in the BentoML store has become another one."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ekiben.model.store import read_latest
from ekiben.service.errors import BadRequest, Overloaded

logger = logging.getLogger("bentoml.service")
POLL_S = 2.0
JITTER = 0.5  # of it: replicas that share a store don't all load in the same moment


async def watch_store(
    served: Mapping[str, str], list_models: Callable[[], Iterable[str]], load: Callable[[str], Awaitable[object]]
) -> None:
    """Call `load` with a model's name whenever the store's newest version of it changes; never returns.

    `served`: the versions, by name, that were the newest when they were opened. A version that can't be loaded is not
    tried again until another comes; a store that is away for a time is waited for.
    """
    seen = dict(served)
    while True:
        await asyncio.sleep(POLL_S * random.uniform(1 - JITTER, 1 + JITTER))
        latest = await asyncio.to_thread(_read, list(list_models()))
        changed = [name for name, version in latest.items() if seen.get(name, version) != version]
        seen |= latest
        for name in changed:
            await _load(name, load)


def _read(names: Iterable[str]) -> dict[str, str]:
    """Return which version of each model is the newest, of those of which it can be read."""
    latest = {name: read_latest(name) for name in names}
    return {name: version for name, version in latest.items() if version is not None}


async def _load(name: str, load: Callable[[str], Awaitable[object]]) -> None:
    try:
        await load(name)
    except (BadRequest, Overloaded):
        pass  # said in the log
    except Exception:
        logger.exception("%s could not be loaded", name)
