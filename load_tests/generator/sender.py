"""Sends a load from this process: a loop over epoll with requests written and answers known beforehand.

A client as a person would write it in Python carries 1-4 thousand requests a second; this one
takes some 15 µs of CPU time a request. Linux only: epoll.
"""

import select
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from ekiben.load_tests.generator.connection import NOBODY, Connection, Lost
from ekiben.load_tests.generator.file_limit import raise_file_limit
from ekiben.load_tests.generator.load import FAILED, PENDING, TIMED_OUT, Load, Outcome, draw_arrivals
from ekiben.load_tests.generator.pool import Pool

TICK_S = 0.0002  # the loop does not wake more often for arrivals; it's the lag of an idle generator
SWEEP_S = 0.01  # between looks for timeouts
START_S = 0.1  # until the first arrival


class Sender:
    """One run of one load in this process."""

    def __init__(self, load: Load) -> None:
        self._load = load
        arrivals: list[float] = draw_arrivals(load).tolist()
        self._intended = arrivals
        self._latency = [0.0] * len(arrivals)
        self._status = [PENDING] * len(arrivals)
        self._lag: list[float] = []
        self._next = 0  # arrival
        self._open = 0  # requests without an outcome
        self._waiting: deque[int] = deque()  # arrivals that found no free connection
        self._sent: deque[tuple[int, Connection]] = deque()
        self._pool = Pool(load)
        self._free = self._pool.free
        self._connections = self._pool.by_descriptor
        self._poll = self._pool.poll
        self._start = 0.0
        raise_file_limit()

    def run(self, connected: Callable[[], None]) -> Outcome:
        """Send everything and wait until each request has an outcome."""
        self._pool.open_all(self._handle)
        connected()
        self._start = time.perf_counter() + START_S
        cpu, began = time.process_time(), time.perf_counter()
        self._loop()
        spent, took = time.process_time() - cpu, time.perf_counter() - began
        self._pool.close()
        return Outcome(
            np.array(self._intended),
            np.array(self._latency),
            np.array(self._status, np.int16),
            np.array(self._lag),
            spent / took,
        )

    def _loop(self) -> None:
        swept = 0.0
        closed_until = self._load.seconds if self._load.in_flight else 0.0
        while True:
            now = time.perf_counter() - self._start
            self._send_due(now)
            while closed_until > now > 0 and self._free:
                self._add(now)
            if now - swept > SWEEP_S:
                self._time_out(now)
                swept = now
            if self._next == len(self._intended) and not self._open and now >= closed_until:
                return
            self._wait(now)
            for descriptor, event in self._poll.poll(0):
                connection = self._connections.get(descriptor)
                if connection is not None:
                    self._handle(connection, event)

    def _wait(self, now: float) -> None:
        """Sleep until something arrives or is due; epoll's own timeout knows only whole milliseconds."""
        due = self._intended[self._next] - now if self._next < len(self._intended) else SWEEP_S
        select.select([self._poll], [], [], min(max(due, TICK_S), SWEEP_S))

    def _send_due(self, now: float) -> None:
        intended, total = self._intended, len(self._intended)
        while self._waiting and self._free:
            self._send(self._waiting.popleft())
        while self._next < total and intended[self._next] <= now:
            index = self._next
            self._next += 1
            self._open += 1
            if self._free:
                self._send(index)
                self._lag.append(time.perf_counter() - self._start - intended[index])
            else:
                self._waiting.append(index)

    def _add(self, now: float) -> None:
        """Send the next request of a closed loop."""
        self._intended.append(now)
        self._latency.append(0.0)
        self._status.append(PENDING)
        self._next += 1
        self._open += 1
        self._send(len(self._intended) - 1)

    def _send(self, index: int) -> None:
        """Send a request over a free connection."""
        connection = self._free.pop()
        self._sent.append((index, connection))
        try:
            connection.send(self._load.calls[index % len(self._load.calls)], index)
        except Lost:
            self._lose(connection)

    def _handle(self, connection: Connection, event: int) -> None:
        try:
            if connection.connected:
                self._take(connection, connection.handle(event))
            else:
                self._begin(connection)
        except Lost:
            self._lose(connection)

    def _begin(self, connection: Connection) -> None:
        """A connection was made, or refused; it is free once it has brought a first answer."""
        made = self._pool.begin(connection, self._load.calls[0])
        if not made and self._waiting:  # who has waited longest fails with the connection that it could have had
            self._finish(self._waiting.popleft(), FAILED)

    def _take(self, connection: Connection, status: int) -> None:
        """Take what became of a connection's request."""
        if status == PENDING:
            return
        if connection.index >= 0:
            self._finish(connection.index, status)
        connection.index = NOBODY
        if connection.closing:
            self._pool.drop(connection)
            self._pool.open()
        else:
            self._free.append(connection)

    def _finish(self, index: int, status: int) -> None:
        self._latency[index] = time.perf_counter() - self._start - self._intended[index]
        self._status[index] = status
        self._open -= 1

    def _lose(self, connection: Connection) -> None:
        """The service closed the connection."""
        if connection.index >= 0:
            self._finish(connection.index, FAILED)
        self._pool.replace(connection)

    def _time_out(self, now: float) -> None:
        timeout = self._load.timeout_s
        while self._sent:
            index, connection = self._sent[0]
            if connection.index == index:
                if now - self._intended[index] < timeout:
                    break
                self._finish(index, TIMED_OUT)  # its connection stays: making thousands anew would be the load
                connection.index = NOBODY
            self._sent.popleft()
        while self._waiting and now - self._intended[self._waiting[0]] >= timeout:
            self._finish(self._waiting.popleft(), TIMED_OUT)


def send(load: Load, connected: Callable[[], None] = lambda: None) -> Outcome:
    """Send a load from this process; `connected` is called before its first request."""
    return Sender(load).run(connected)
