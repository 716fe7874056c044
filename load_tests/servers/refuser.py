"""The least that rejecting costs: a server that reads whatever comes and answers 429."""

import asyncio
from typing import Any

import uvloop

from ekiben.service.connections.rejections import REJECTION


class RejectingProtocol(asyncio.Protocol):
    """One connection; each request arrives in one piece."""

    def connection_made(self, transport: Any) -> None:
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        self._write(REJECTION)


async def serve() -> None:
    """Print the port and reject whoever comes."""
    server = await asyncio.get_running_loop().create_server(RejectingProtocol, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
