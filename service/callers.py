"""Waits for an answer as long as its caller does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ekiben.service.errors import CallerGone

T = TypeVar("T")


async def wait_unless_gone(running: "asyncio.Future[T]", gone: Callable[[], Awaitable[None]]) -> T:
    """Return what a future gives; cancel it and raise CallerGone if `gone`, which waits for that, returns before."""
    watching = asyncio.ensure_future(gone())
    watching.add_done_callback(lambda done: None if done.cancelled() else running.cancel())
    try:
        return await running
    except asyncio.CancelledError:
        if watching.done():
            raise CallerGone from None
        raise
    finally:
        watching.cancel()
