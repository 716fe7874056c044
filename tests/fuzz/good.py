"""A client that does all as it should, beside those that don't."""

import asyncio

from tests.fuzz.call_moves import CALLS, TYPE, describe, pack
from tests.fuzz.listening import Listening
from tests.fuzz.peer import Peer
from tests.fuzz.script import Granted, Script
from tests.fuzz.service import Unexpected
from tests.http2_server import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, frame

PATIENCE = 10  # looks for an answer, PAUSE_S apart
PAUSE_S = 0.5


class Good:
    """A client that does all as it should."""

    def __init__(self, listening: Listening) -> None:
        self._loop = listening.loop
        self._listening = listening
        self._peer = Peer(Granted())
        self._stream = -1
        self._wire = listening.connect(self._peer.read)
        self._wire.send(PREFACE + frame(SETTINGS, 0, 0))

    async def call(self, number: int) -> tuple[bytes, bytes]:
        """Return what a call is answered."""
        self._stream += 2
        self._wire.send(write_call(self._stream, number))
        for _ in range(PATIENCE):
            await self._loop.settle()
            one = self._peer.answers.get(self._stream)
            if one is not None and one.ended:
                return one.reply
            await asyncio.sleep(PAUSE_S)
        raise Unexpected("a good call on another connection got no answer")

    def leave(self) -> None:
        self._peer.check()
        self._wire.drop()
        self._listening.note_lost(self._wire)


def write_call(stream: int, number: int) -> bytes:
    """Return the frames of a good call."""
    path, message = CALLS[number]
    block = Script().encode(describe(b"POST", path, TYPE, (b"te", b"trailers")))
    head = frame(HEADERS, END_HEADERS, stream, block)
    return head + frame(DATA, END_STREAM, stream, pack(message))
