"""Notices that the newest version of a model in the BentoML store has become another one."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from ekiben.model.store import read_latest
from ekiben.service.errors import BadRequest, Overloaded

logger = logging.getLogger("bentoml.service")
POLL_S = 2.0
JITTER = 0.5  # of it: replicas that share a store don't all load in the same moment


async def watch_store(name: str, load: Callable[[str], Awaitable[object]]) -> None:
    """Call `load` with the model's name whenever the store's newest version changes; never returns.

    A version that can't be loaded is not tried again until another comes; a store that is away for a time is waited
    for.
    """
    seen = await asyncio.to_thread(read_latest, name)
    while True:
        await asyncio.sleep(POLL_S * random.uniform(1 - JITTER, 1 + JITTER))
        latest = await asyncio.to_thread(read_latest, name)
        if latest in (seen, None):
            continue
        seen = latest
        try:
            await load(name)
        except (BadRequest, Overloaded):
            pass  # said in the log
        except Exception:
            logger.exception("%s could not be loaded", name)
