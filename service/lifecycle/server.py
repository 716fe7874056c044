"""uvicorn's HTTP server, as a service stops it, whose own process ends by itself and not by the signal it got."""

import asyncio
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from ekiben.service.connections.backlog import SETTLE_S, SHARED_SETTLE_S, close_servers
from ekiben.service.lifecycle import lifeline
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
        stop_listening(self)
        await super().shutdown(sockets)


def find_server() -> uvicorn.Server | None:
    """Return the server that SIGTERM is to stop, if it is uvicorn's; a drain that comes first would hide it."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def stop_listening(server: uvicorn.Server, workers: int = 1) -> None:
    """Take no more connections but those that came; uvicorn would leave them to the kernel, which resets them.

    The port is a supervisor's, and goes on if this is one worker of it that stops.
    """
    protocol: Any = server.config.http_protocol_class
    given = {"config": server.config, "server_state": server.server_state, "app_state": server.lifespan.state}
    settle_s = (SETTLE_S if workers == 1 else SHARED_SETTLE_S) if lifeline.all_stop() else None
    for joining in close_servers(server.servers, partial(protocol, **given), server.config.ssl, settle_s):
        server.server_state.tasks.add(joining)  # which uvicorn waits for
        joining.add_done_callback(server.server_state.tasks.discard)


def serve(config: uvicorn.Config, listeners: Sequence[socket.socket]) -> bool:
    """Serve until asked to stop; return whether it ever came to that."""
    server = Server(config)
    try:
        server.run(list(listeners))
    except SystemExit:  # the application did not start: uvicorn has logged why
        return False
    return True
