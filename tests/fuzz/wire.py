"""A connection without sockets: a transport as uvloop's are on one side, and on the other what a client does."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

HIGH_BYTES, LOW_BYTES = 2**16, 2**14  # that wait to be read by the client when the other side hears of it
READ_BYTES = 2**18  # that come at once, at the most


class Wire(asyncio.Transport):
    """What a server's protocol is given; as uvloop's it raises where nothing can be done any more."""

    def __init__(self, protocol: Any, reads: Callable[[bytes], object], half_closes: bool = True) -> None:
        """`reads` takes what the client reads; without `half_closes` it is as over TLS."""
        super().__init__({"peername": ("192.0.2.1", 50000), "sockname": ("192.0.2.2", 8080)})
        self.loop = asyncio.get_running_loop()
        self.protocol = protocol
        self.ended = self.lost = False  # by the server; and told so
        self._reads, self._half_closes = reads, half_closes
        self._arriving: deque[bytes | None] = deque()  # None: no more comes
        self._unread = bytearray()
        self._paused = self._closing = self._stuck = self._told = False
        protocol.connection_made(self)

    # The client's side.

    def send(self, data: bytes) -> None:
        """Let bytes arrive, now or once they are read."""
        self._arriving.extend(data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES))
        self._deliver()

    def stop_reading(self) -> None:
        """Let what the server writes wait."""
        self._stuck = True

    def read_on(self) -> None:
        """Take all that waits."""
        self._stuck = False
        taken, self._unread = bytes(self._unread), bytearray()
        self._reads(taken)
        if self._told and not self.lost:
            self._told = False
            self.protocol.resume_writing()
        if self._closing:
            self._lose_soon()

    def half_close(self) -> None:
        """Say that no more comes."""
        self._arriving.append(None)
        self._deliver()

    def drop(self) -> None:
        """Be gone."""
        self._unread.clear()
        self._closing = True
        self._lose()

    # The server's.

    def write(self, data: Any) -> None:
        self._check_alive()
        if not data:
            return
        if self.ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing and not self._unread:  # nobody reads it
            return
        if not self._stuck:
            self._reads(bytes(data))
            return
        self._unread += data
        if len(self._unread) > HIGH_BYTES and not self._told and not self._closing:
            self._told = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return len(self._unread)

    def can_write_eof(self) -> bool:
        return self._half_closes

    def write_eof(self) -> None:
        self._check_alive()
        self.ended = True

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            self.loop.call_soon(self._deliver)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._arriving.clear()
            if not self._unread:
                self._lose_soon()

    def abort(self) -> None:
        self._closing = True
        self._arriving.clear()
        self._unread.clear()
        self._lose_soon()

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def _check_alive(self) -> None:
        if self.lost:
            raise RuntimeError("unable to perform operation on a closed transport")

    def _deliver(self) -> None:
        while self._arriving and not (self._paused or self._closing):
            data = self._arriving.popleft()
            if data is not None:
                self.protocol.data_received(data)
            elif not self.protocol.eof_received():
                self.close()

    def _lose_soon(self) -> None:
        self.loop.call_soon(self._lose)

    def _lose(self) -> None:
        if not self.lost:
            self._arriving.clear()
            try:
                self.protocol.connection_lost(None)
            finally:
                self.lost = True
