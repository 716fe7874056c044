"""Reads gRPC calls' messages: so many bytes at a time, so long, and unpacked to so much.

gRPC buffers a message as it comes and says nothing of it before it is whole: 128 calls of 8 MiB on one connection
are a gigabyte. Most messages are there with their call; one that isn't needs a reservation for the largest there
may be. gRPC's own unpacking is off: how much it makes of a message nobody can bound.
"""

import asyncio
from typing import Any

import grpc

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.grpc.context import MESSAGE_MISSING
from ekiben.service.grpc.grpcio.arrivals import Arrivals
from ekiben.service.grpc.unpacking import PACKED, take_bytes, unpack_message
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.offload import LARGE_BYTES


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
            raise BadRequest(400, MESSAGE_MISSING)
        if message.startswith(PACKED):
            return await unpack_message(message, self.budget, self._max_bytes)
        take_bytes(self.budget, len(message))
        return message

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

    async def unpack(self, message: bytes) -> bytes:
        """Return a message of a stream, unpacked if it is packed; its bytes count only meanwhile."""
        if message.startswith(PACKED):
            message = await unpack_message(message, self.budget, self._max_bytes)
            self.budget.give(len(message))
        return message

    async def _wait_slowly(self, reading: "asyncio.Future[Any]", timeout_s: float, reserved: int) -> None:
        take_bytes(self._slow, reserved)
        try:
            await asyncio.wait((reading,), timeout=timeout_s)
            if not reading.done():
                raise DeadlineExceeded
        finally:
            self._slow.give(reserved)


def _retrieve(reading: "asyncio.Future[Any]") -> None:
    """Look at the error of a message that nobody waits for any more, so that asyncio doesn't log it."""
    if not reading.cancelled():
        reading.exception()
