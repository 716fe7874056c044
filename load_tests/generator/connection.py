"""One of the load generator's connections: takes whole requests, and tells what became of them."""

import select
import socket

from ekiben.load_tests.generator.load import BARE_REJECTION, FAILED, OK, PENDING, SHED, WRONG, Call

NOBODY = -1  # waits for what a connection brings
RECEIVED_BYTES = 1 << 18


class Lost(Exception):
    """The service closed the connection."""


class Connection:
    """A keep-alive connection with at most one request in flight: nobody waits behind another's answer."""

    __slots__ = ("_buffer", "_call", "_poll", "_socket", "_unsent", "closing", "connected", "descriptor", "index")

    def __init__(self, address: tuple[str, int], poll: select.epoll) -> None:
        """Begin to connect."""
        self._poll = poll
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect_ex(address)
        self._unsent = self._buffer = b""
        self.descriptor = self._socket.fileno()
        self.connected = False
        self.closing = False  # the service will close it
        self.index = NOBODY  # or of the request in flight
        poll.register(self.descriptor, select.EPOLLOUT)

    def begin(self, call: Call) -> bool:
        """Send a first request, which nobody waits for; return whether the connection was made."""
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        self.connected = True
        self._poll.modify(self.descriptor, select.EPOLLIN)
        self.send(call, NOBODY)
        return True

    def send(self, call: Call, index: int) -> None:
        """Send a request; raise Lost if the service is gone."""
        self.index = index
        self._call = call
        self._write(call.request)

    def handle(self, event: int) -> int:
        """Go on with what epoll reports, and return what became of the request; raise Lost if that is never known."""
        if event & ~select.EPOLLOUT:
            return self._receive()
        self._write(self._unsent)
        return PENDING

    def close(self) -> None:
        """Give the connection up."""
        self.index = NOBODY
        self._socket.close()

    def _write(self, data: bytes) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Lost from None
        if sent < len(data):
            self._unsent = data[sent:]
            self._poll.modify(self.descriptor, select.EPOLLIN | select.EPOLLOUT)
        elif self._unsent:
            self._unsent = b""
            self._poll.modify(self.descriptor, select.EPOLLIN)

    def _receive(self) -> int:
        try:
            data = self._socket.recv(RECEIVED_BYTES)
        except BlockingIOError:
            return PENDING
        except OSError:
            raise Lost from None
        if not data:
            raise Lost
        if self._buffer:
            data = self._buffer + data
        right = data.endswith(self._call.answer) and data[9:12] == b"200"  # nearly always
        status = OK if right else read_status(data)
        self._buffer = data if status == PENDING else b""
        self.closing = b"connection: close" in data
        return status


def read_status(data: bytes) -> int:
    """Return what an answer other than the right one says; PENDING if it isn't all here."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return PENDING
    head = head.lower()
    index = head.find(b"\r\ncontent-length:")
    if index < 0 or not head[9:12].isdigit():
        return FAILED
    if len(body) < int(head[index + 17 :].partition(b"\r\n")[0]):
        return PENDING
    status = int(head[9:12])
    if status == SHED and b"\r\nretry-after:" not in head:
        return BARE_REJECTION
    return WRONG if status == OK else status
