"""Prediction ids: by which a label that comes weeks later finds its prediction.

One of ours is 24 hexadecimal digits: 8 of the second since 1970, 10 that this process drew, 6 that count. They are made
in blocks of 4,096 that differ in their last digits only, so that one costs a 400th of a request: a random UUID would be
a tenth of it. A caller's own id takes its place.
"""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from ekiben.contract.field_fitting import Ignored
from ekiben.service.canary.run import Drawn

if TYPE_CHECKING:  # OpenTelemetry is imported only where it is asked for
    from ekiben.service.tracing.spans import RequestSpan

HEADER = b"x-prediction-id"
METADATA = HEADER.decode()  # over gRPC
MAX_ID_BYTES = 128
RENEW_S = 1.0
SUFFIXES = tuple(b"%03x" % count for count in range(4096))
OWN = re.compile(r"([0-9a-f]{8})[0-9a-f]{16}")


class Caller(Protocol):
    """A request over HTTP or a call over gRPC, as far as its answer's id needs it."""

    own_id: bytes  # that the caller gave, b"" if none
    prediction_id: bytes  # that the answer has, once there is one
    drawn: Drawn | None  # if a canary has chosen the version that answers
    rows: int  # that are answered
    model: str  # that they are asked of
    trace: "RequestSpan | None"  # if it is traced
    ignored: Ignored  # fields of its rows that were left out
    one_a_turn: bool  # its server hands over one call a turn: others may be about to follow


class PredictionIds:
    """Makes ids that no other process makes; belongs to one event loop."""

    next: Callable[[], bytes]

    def __init__(self) -> None:
        self._process = os.urandom(5).hex()
        self._block = 0
        self._loop = asyncio.get_running_loop()
        self._renew()

    def _renew(self) -> None:
        """Begin a block with the present second: the last may hold out for hours."""
        self.next = itertools.chain.from_iterable(self._make_blocks()).__next__
        self._loop.call_later(RENEW_S, self._renew)

    def _make_blocks(self) -> Iterator[Iterator[bytes]]:
        while True:
            self._block = (self._block + 1) % 4096
            prefix = f"{int(time.time()) & 0xFFFFFFFF:08x}{self._process}{self._block:03x}"
            yield map(prefix.encode().__add__, SUFFIXES)


def is_usable(given: bytes) -> bool:
    """Return whether a caller's own id can be a prediction's: up to 128 printable ASCII characters, no blank around."""
    if not 0 < len(given) <= MAX_ID_BYTES or not given.isascii() or given != given.strip():
        return False
    return given.decode().isprintable()


def find_usable(*given: bytes | str | None) -> bytes:
    """Return the first of a caller's ids that can be a prediction's, or b"": the answer then has one of ours."""
    for one in given:
        encoded = one.encode("utf-8", "surrogatepass") if isinstance(one, str) else one or b""
        if is_usable(encoded):
            return encoded
    return b""


def read_time(prediction_id: str) -> float | None:
    """Return when one of our ids was made, in seconds since 1970; None: it is a caller's own."""
    matched = OWN.fullmatch(prediction_id.partition("/")[0])
    return float(int(matched[1], 16)) if matched else None
