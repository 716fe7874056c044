"""Notices that the newest version of a model in the BentoML store has become another one."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable

from ekiben.model.store import read_latest
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.servings.versions import Versions

logger = logging.getLogger("bentoml.service")
POLL_S = 2.0
JITTER = 0.5  # of it: replicas that share a store don't all load in the same moment


async def watch_store(
    list_models: Callable[[], Iterable[Versions]],
    load: Callable[[str], Awaitable[object]],
    note: Callable[[str, str], None] = lambda name, newest: None,
) -> None:
    """Call `load` with a model's name whenever the store's newest version of it changes; never returns.

    A version that can't be loaded is not tried again until another comes; a store that is away for a time is waited
    for. `note` is called with the newest version, by name, once it is dealt with.
    """
    while True:
        await asyncio.sleep(POLL_S * random.uniform(1 - JITTER, 1 + JITTER))
        models = {versions.name: versions for versions in list_models()}
        for name, newest in (await asyncio.to_thread(_read, list(models))).items():
            before, models[name].newest = models[name].newest, newest
            if before not in (None, newest):
                await _load(name, load)
                note(name, newest)


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
