"""The connections of a sender: opened before the clock starts, and replaced as the service closes them."""

import select
import time
from collections.abc import Callable

from ekiben.load_tests.generator.connection import NOBODY, Connection
from ekiben.load_tests.generator.load import Call, Load

MAX_CONNECTING = 64  # at once: more overflow the backlog, and then the kernel tries again only after a second
CONNECT_TIMEOUT_S = 15.0
LOOK_S = 0.01


class Pool:
    """The connections to one service."""

    def __init__(self, load: Load) -> None:
        self._address = load.address
        self._wanted = load.in_flight or load.connections
        self.poll = select.epoll()
        self.free: list[Connection] = []  # the last used is taken first, as from the pools of Go and urllib3
        self.by_descriptor: dict[int, Connection] = {}
        self._connecting = 0
        self._gone = False  # nothing listens any more

    def open_all(self, handle: Callable[[Connection, int], None]) -> None:
        """Open all connections before the clock starts, and have an answer on each: what opening them costs, and
        how soon a loaded service takes them, is not what is to be measured.
        """
        deadline = time.perf_counter() + CONNECT_TIMEOUT_S
        while len(self.free) < self._wanted and not self._gone and time.perf_counter() < deadline:
            while self._connecting < MAX_CONNECTING and len(self.by_descriptor) < self._wanted:
                self.open()
            for descriptor, event in self.poll.poll(LOOK_S):
                handle(self.by_descriptor[descriptor], event)

    def open(self) -> None:
        """Begin another connection."""
        connection = Connection(self._address, self.poll)
        self.by_descriptor[connection.descriptor] = connection
        self._connecting += 1

    def begin(self, connection: Connection, call: Call) -> bool:
        """Return whether a connection was made; if it was refused it is dropped."""
        self._connecting -= 1
        if connection.begin(call):
            return True
        self._gone = True
        self.drop(connection)
        return False

    def replace(self, connection: Connection) -> None:
        """Drop a connection that the service closed, and open another unless many are being opened."""
        if connection.index == NOBODY and connection in self.free:
            self.free.remove(connection)
        self.drop(connection)
        if self._connecting < MAX_CONNECTING:
            self.open()

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        del self.by_descriptor[connection.descriptor]
        connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self.by_descriptor.values()):
            self.drop(connection)
