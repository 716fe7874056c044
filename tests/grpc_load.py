"""Callers that ask a gRPC method without pause, over several connections, and keep what they were not answered."""

import asyncio
from typing import Any

import grpc

from tests.waiting import wait_for

REFUSED = "Connection refused"  # what gRPC says where nobody listens


class GrpcLoad:
    """So many calls at once, dealt out to so many channels; a caller whom nobody takes any more goes home."""

    def __init__(
        self, port: int, path: str, body: bytes = b"", calls: int = 32, channels: int = 4, certificate: bytes = b""
    ) -> None:
        self.answered = self.refused = 0
        self.failures: list[str] = []
        self._address, self._path, self._body = f"127.0.0.1:{port}", path, body
        self._calls, self._count, self._certificate = calls, channels, certificate
        self._ended = False

    async def __aenter__(self) -> "GrpcLoad":
        self._channels = [self._open() for _ in range(self._count)]
        self._callers = [
            asyncio.ensure_future(self._ask(self._channels[number % self._count])) for number in range(self._calls)
        ]
        return self

    async def __aexit__(self, *given: object) -> None:
        self._ended = True
        await asyncio.gather(*self._callers)
        for channel in self._channels:
            await channel.close()

    async def wait_answers(self, count: int) -> None:
        """Return once so many more were answered, or nobody asks any more."""
        wanted = self.answered + count
        await wait_for(lambda: self.answered >= wanted or all(caller.done() for caller in self._callers))

    async def wait_refused(self) -> None:
        """Return once every caller has been refused."""
        await asyncio.gather(*self._callers)

    def _open(self) -> Any:
        own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own for each
        if self._certificate:
            return grpc.aio.secure_channel(self._address, grpc.ssl_channel_credentials(self._certificate), own)
        return grpc.aio.insecure_channel(self._address, own)

    async def _ask(self, channel: Any) -> None:
        ask = channel.unary_unary(self._path)
        while not self._ended:
            try:
                await ask(self._body, timeout=60)
            except grpc.aio.AioRpcError as error:
                if REFUSED in str(error.details()):
                    self.refused += 1
                    return
                self.failures.append(f"{error.code()}: {error.details()}")
            else:
                self.answered += 1
