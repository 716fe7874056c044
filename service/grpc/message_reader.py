"""Reads gRPC calls' messages: so many bytes at a time, so long, and unpacked to so much.

gRPC buffers a message as it comes and says nothing of it before it is whole: 128 calls of 8 MiB on one connection
are a gigabyte. Most messages are there with their call; one that isn't needs a reservation for the largest there
may be. gRPC's own unpacking is off for the same reason: 8 KiB of gzip become 8 MiB, and many calls at once do.
"""

import asyncio
from typing import Any

import grpc

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.decompression import MAX_RATIO, unpack
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, DeadlineExceeded, Overloaded
from ekiben.service.grpc.arrivals import Arrivals
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.offload import LARGE_BYTES, offload

# How packed messages begin. No message of ours does: those bytes would be wire type 7, and field 15.
PACKED = (b"\x1f\x8b", b"\x78")
NAME = "message"  # in errors
FREE_BYTES = 2**20  # that any message may unpack to


class MessageReceiver:
    """Takes messages in, within the budget; belongs to one event loop."""

    def __init__(self, budget: ByteBudget, max_bytes: int) -> None:
        self.budget = budget
        self._slow = ByteBudget(max(budget.limit, max_bytes))  # of messages that aren't there yet
        self._arrivals = Arrivals()
        self._max_bytes = max_bytes

    async def receive(self, context: Any, timeout_s: float) -> bytes:
        """Return a call's message; `budget.give` of its length must follow.

        Raises Overloaded if there is no room for it, and BadRequest if none comes or it is too large.
        """
        message = await self.read(context, timeout_s)
        if message is None:
            raise BadRequest(400, "the call has no message: send one")
        return await self._unpack(message) if message.startswith(PACKED) else self._take(message)

    async def read(self, context: Any, timeout_s: float, reserve: bool = True) -> bytes | None:
        """Return the next message as it came, None if there is none; `reserve` room for one that is slow."""
        # Never cancelled: what gRPC has received is freed when it is read.
        reading = asyncio.ensure_future(context.read())
        reading.add_done_callback(_retrieve)
        if not await self._arrivals.wait(reading):
            await self._wait_slowly(reading, timeout_s, self._max_bytes if reserve else 0)
        message = reading.result()
        if message is grpc.aio.EOF:  # type: ignore[attr-defined]
            return None
        if len(message) > LARGE_BYTES:
            trim_soon()
        return bytes(message)

    async def _wait_slowly(self, reading: "asyncio.Future[Any]", timeout_s: float, reserved: int) -> None:
        if not self._slow.take(reserved):
            raise Overloaded(RETRY_AFTER_S)
        try:
            await asyncio.wait((reading,), timeout=timeout_s)
            if not reading.done():
                raise DeadlineExceeded
        finally:
            self._slow.give(reserved)

    def _take(self, message: bytes) -> bytes:
        if not self.budget.take(len(message)):
            raise Overloaded(RETRY_AFTER_S)
        return message

    async def _unpack(self, packed: bytes) -> bytes:
        small = len(packed) <= LARGE_BYTES
        if small and (message := unpack(packed, LARGE_BYTES, name=NAME)) is not None:
            return self._take(message)
        most = min(self._max_bytes, max(FREE_BYTES, MAX_RATIO * len(packed)))
        if not self.budget.take(most):
            raise Overloaded(RETRY_AFTER_S)
        try:
            message = await offload(lambda: unpack(packed, most, name=NAME))
        finally:
            self.budget.give(most - len(message or b""))
        if message is None:
            raise BadRequest(429, f"the unpacked message is larger than max ({most} bytes): send fewer rows at once")
        return message


def _retrieve(reading: "asyncio.Future[Any]") -> None:
    """Look at the error of a message that nobody waits for any more, so that asyncio doesn't log it."""
    if not reading.cancelled():
        reading.exception()
