"""Checks and encodes the rows of all requests that arrive in one turn of the event loop together.

Encoding has a fixed cost of about 30 µs and then 1.6 µs a row: shared by what arrives at once,
a single row costs a tenth. Rows enter the queue only once they fit the schema.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from contract.encode import Encoded, Encoder
from contract.errors import InvalidInput, Problem
from service.batching import Answers, BatchQueue


@dataclass(slots=True, eq=False)
class Arrival:
    """The rows of one request, as they came."""

    rows: list[Any]
    deadline: float  # on the event loop's clock, seconds
    future: "asyncio.Future[Answers]"
    unseen: list[Problem]


class Intake:
    """Turns rows into queued work; belongs to one event loop."""

    def __init__(self, encoder: Encoder, queue: BatchQueue) -> None:
        self._encoder = encoder
        self._queue = queue
        self._arrivals: list[Arrival] = []
        self._loop = asyncio.get_running_loop()

    def submit(self, rows: list[Any], deadline: float) -> Arrival:
        """Take one request's rows; its future gets the answers, an InvalidInput or a Refusal.

        Raises Overloaded if the queue has no room for them.
        """
        self._queue.admit(len(rows), deadline)
        arrival = Arrival(rows, deadline, self._loop.create_future(), [])
        if not self._arrivals:
            self._loop.call_soon(self._encode_arrivals)
        self._arrivals.append(arrival)
        return arrival

    def _encode_arrivals(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        try:
            encoded = self._encoder.encode_rows([row for arrival in arrivals for row in arrival.rows])
        except InvalidInput:
            for arrival in arrivals:
                self._encode_alone(arrival)
            return
        all_seen = bool(encoded.codes.all())
        start = 0
        for arrival in arrivals:
            end = start + len(arrival.rows)
            self._enqueue(arrival, encoded[start:end], all_seen)
            start = end

    def _encode_alone(self, arrival: Arrival) -> None:
        """Encode one request by itself, so that a bad row of another can't fail it."""
        try:
            encoded = self._encoder.encode_rows(arrival.rows)
        except InvalidInput as error:
            self._queue.release(len(arrival.rows))
            if not arrival.future.done():
                arrival.future.set_exception(error)
        else:
            self._enqueue(arrival, encoded, all_seen=False)

    def _enqueue(self, arrival: Arrival, encoded: Encoded, all_seen: bool) -> None:
        if not all_seen:
            arrival.unseen = self._encoder.unseen(arrival.rows, encoded)
        self._queue.submit(encoded, arrival.deadline, arrival.future)
