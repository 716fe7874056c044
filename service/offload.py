"""A thread for what would hold up the event loop: one, so that however much arrives, little is in memory at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")


async def offload(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in the thread; it is not begun once nobody waits for it."""
    return await asyncio.get_running_loop().run_in_executor(_thread, function, *arguments)
