"""Waiting on an event loop."""

import asyncio
from collections.abc import Callable


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
