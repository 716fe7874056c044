"""Takes the connections that the kernel still holds for a port that is about to be closed: it would reset them.

New ones are kept out first, by a filter that drops their SYN; what was on its way into the queue by then is in it soon.
Who is kept out tries again, and is refused by then: the queue is shut for all processes whose it is. With `bentoml
serve` these are the supervisor and its workers, who stop at the same time, as far as they are awake.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

SETTLE_S, SHARED_SETTLE_S = 0.2, 1.0  # until all that came are taken, and until other workers listen no more
LOOK_S = 0.02
SO_ATTACH_FILTER = 26  # of Linux: elsewhere a few may be reset that come just as a port is closed
# Load the byte with TCP's flags; if SYN is one of them take nothing of the packet, else all of it.
FILTER = b"".join(
    struct.pack("HBBI", *step) for step in ((0x30, 0, 0, 13), (0x45, 0, 1, 2), (6, 0, 0, 0), (6, 0, 0, 2**32 - 1))
)


def close_servers(
    servers: Iterable[asyncio.Server],
    connect: Callable[[], Any],
    context: ssl.SSLContext | None,
    settle_s: float | None = SETTLE_S,
) -> list[asyncio.Task[None]]:
    """Close these; return what hands each connection that waited to a protocol, and tells it that we stop.

    `settle_s`: None leaves the queue to other processes, who go on.
    """
    closing = []
    for server in servers:
        listeners = [socket.socket(fileno=os.dup(one.fileno())) for one in server.sockets]
        for listener in listeners if settle_s else ():
            keep_out(listener)
        server.close()
        closing += [_take_all(one, partial(_join, connect, context), settle_s) for one in listeners]
    return [asyncio.get_running_loop().create_task(one) for one in closing]


def keep_out(listener: socket.socket) -> None:
    """Let nobody new connect."""
    program = ctypes.create_string_buffer(FILTER)
    with contextlib.suppress(OSError):
        said = struct.pack("HP", len(FILTER) // 8, ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, said)


async def _take_all(
    listener: socket.socket, join: Callable[[socket.socket], Coroutine[Any, Any, None]], settle_s: float | None
) -> None:
    loop = asyncio.get_running_loop()
    ends, joining = loop.time() + (settle_s or 0.0), []
    with listener:
        listener.setblocking(False)
        while True:
            joining += [loop.create_task(join(one)) for one in _accept_all(listener)]
            if loop.time() >= ends:
                break
            await asyncio.sleep(LOOK_S)
        if settle_s:
            with contextlib.suppress(OSError):  # another worker was first
                listener.shutdown(socket.SHUT_RDWR)
    await asyncio.gather(*joining)


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    accepted = []
    try:
        while True:
            accepted.append(listener.accept()[0])
    except OSError:  # there are no more, or no more may be opened
        return accepted


async def _join(connect: Callable[[], Any], context: ssl.SSLContext | None, accepted: socket.socket) -> None:
    accepted.setblocking(False)
    try:
        transport: Any
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(connect, accepted, ssl=context)
    except OSError:  # it has gone, or speaks no TLS
        return
    transport.get_protocol().shutdown()
