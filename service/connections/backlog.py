"""Takes the connections that the kernel still holds for a port that is about to be closed: it would reset them."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any


def close_servers(
    servers: Iterable[asyncio.Server], connect: Callable[[], Any], context: ssl.SSLContext | None
) -> list[asyncio.Task[None]]:
    """Close these; return what hands each connection that waited to a protocol, and tells it that we stop."""
    waiting: list[socket.socket] = []
    for server in servers:
        for one in server.sockets:
            waiting += _accept_all(one.fileno())
        server.close()
    return [asyncio.get_running_loop().create_task(_join(one, connect, context)) for one in waiting]


def _accept_all(listening: int) -> list[socket.socket]:
    accepted = []
    with socket.socket(fileno=os.dup(listening)) as listener:
        listener.setblocking(False)
        try:
            while True:
                accepted.append(listener.accept()[0])
        except OSError:  # there are no more, or no more may be opened
            return accepted


async def _join(accepted: socket.socket, connect: Callable[[], Any], context: ssl.SSLContext | None) -> None:
    accepted.setblocking(False)
    try:
        transport: Any
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(connect, accepted, ssl=context)
    except OSError:  # it has gone, or speaks no TLS
        return
    transport.get_protocol().shutdown()
