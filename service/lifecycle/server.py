"""The HTTP server of a service that is one process: uvicorn's, which ends by itself and not by the signal it got."""

import asyncio
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from ekiben.service.connections.backlog import close_servers
from ekiben.service.lifecycle.drain import FORCED_EXIT_S


class Server(uvicorn.Server):
    """Serves until it is asked to stop; uvicorn would then send itself the signal again, which is an exit code."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in HANDLED_SIGNALS:
            signal.signal(number, self.handle_exit)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # After an interrupt, which no drain comes before, a client that stalls must not keep the process either.
        asyncio.get_running_loop().call_later(FORCED_EXIT_S, self.handle_exit, signal.SIGINT, None)
        protocol: Any = self.config.http_protocol_class
        given = {"config": self.config, "server_state": self.server_state, "app_state": self.lifespan.state}
        for joining in close_servers(self.servers, partial(protocol, **given), self.config.ssl):
            self.server_state.tasks.add(joining)  # which uvicorn waits for
            joining.add_done_callback(self.server_state.tasks.discard)
        await super().shutdown(sockets)


def serve(config: uvicorn.Config, listeners: Sequence[socket.socket]) -> bool:
    """Serve until asked to stop; return whether it ever came to that."""
    server = Server(config)
    try:
        server.run(list(listeners))
    except SystemExit:  # the application did not start: uvicorn has logged why
        return False
    return True
