"""Plays scripts against the service, with good calls beside them, and looks for what must never be."""

import asyncio
import time
from typing import Any

from tests.fuzz.call_moves import CALLS
from tests.fuzz.clock import SkippingLoop
from tests.fuzz.good import PATIENCE, PAUSE_S, Good, write_call
from tests.fuzz.http1 import BODIES, Http1Peer, write_http1, write_request
from tests.fuzz.listening import Listening
from tests.fuzz.peer import Peer
from tests.fuzz.script import Script
from tests.fuzz.scripts import write_raw, write_script
from tests.fuzz.service import Unexpected
from tests.fuzz.wire import Wire
from tests.http2_server import SETTINGS, WINDOW, frame

SLOW_S = 2.0  # of the CPU
TRIES = 3
LARGE_WINDOW = 2**22


class Player:
    """Plays one after the other; belongs to one event loop."""

    def __init__(self, listening: Listening) -> None:
        self.listening = listening
        self.loop = listening.loop
        self.replies: list[tuple[bytes, bytes]] = []
        self._answers: list[tuple[int, bytes]] = []

    async def start(self) -> None:
        """Learn what good calls and requests are answered."""
        for number in range(len(CALLS)):
            good = Good(self.listening)
            self.replies.append(await good.call(number))
            good.leave()
            assert self.replies[-1][0] == b"0", CALLS[number]
        for number in range(len(BODIES)):
            peer = Http1Peer()
            wire = self.listening.connect(peer.read)
            wire.send(write_request(number))
            await self.loop.settle()
            self._answers += peer.answers
            wire.drop()
        assert len(self._answers) == len(BODIES)
        await self.listening.check_given_back()

    def close(self) -> None:
        self.listening.close()

    async def play(self, data: bytes) -> None:
        """Do what these bytes say; raise Unexpected if the service does what it never should."""
        kind, data = (data[0] % 8, data[1:]) if data else (0, b"")
        if kind == 0:
            await self.play_raw(data)
        elif kind == 1:
            await self.play_http1(data)
        else:
            await self.play_script(write_script(data))

    async def play_raw(self, data: bytes) -> None:
        """Send bytes after a hello."""
        await self.play_script(write_raw(data))

    async def play_script(self, script: Script) -> Peer:
        """Play one over HTTP/2; one that the connection survives ends with a good call."""
        peer = Peer(script.granted)
        wire = self.listening.connect(peer.read, half_closes=len(script.steps) % 3 != 0)
        await self._play(wire, script, lambda: self._ask_last(wire, peer, script))
        peer.check()
        return peer

    async def play_http1(self, data: bytes) -> Http1Peer:
        """Play one over HTTP/1.1; of one that is all good every answer is compared."""
        script, wanted = write_http1(data)
        peer = Http1Peer()
        wire = self.listening.connect(peer.read)

        async def compare() -> None:
            await self.loop.settle()
            peer.check_answers([self._answers[number] for number in wanted])

        await self._play(wire, script, compare)
        peer.check()
        return peer

    async def _play(self, wire: Wire, script: Script, finish: Any) -> None:
        self.loop.turns = 0
        began = time.process_time()
        good = Good(self.listening)
        middle = len(script.steps) // 2
        for number, (what, argument) in enumerate(script.steps):
            await self._step(wire, what, argument)
            if number == middle:
                await self._check_good(good, number)
        await self.loop.settle()
        if script.lives:
            await finish()
        await self._check_good(good, middle + 1)
        good.leave()
        if not wire.lost:
            wire.drop()
        self.listening.note_lost(wire)
        del wire, good, finish
        await self.listening.check_given_back()
        if time.process_time() - began > SLOW_S:
            raise Unexpected(f"took {time.process_time() - began:.1f} s")

    async def _step(self, wire: Wire, what: str, argument: Any) -> None:
        if wire.lost:
            return
        if what == "send":
            wire.send(argument)
        elif what == "turns":
            for _ in range(argument):
                await asyncio.sleep(0)
        elif what == "settle":
            await self.loop.settle()
        elif what == "wait":
            await asyncio.sleep(argument)
        elif what == "shutdown":
            wire.protocol.shutdown()
        else:
            getattr(wire, what)()

    async def _ask_last(self, wire: Wire, peer: Peer, script: Script) -> None:
        """Raise Unexpected unless the same connection still answers a good call, and has answered all others."""
        stream = script.open()
        script.granted.connection += LARGE_WINDOW
        script.granted.stream = max(script.granted.stream, LARGE_WINDOW)
        wire.send(frame(SETTINGS, 0, 0, b"\0\4" + LARGE_WINDOW.to_bytes(4, "big")))
        wire.send(frame(WINDOW, 0, 0, LARGE_WINDOW.to_bytes(4, "big")) + write_call(stream, 0))
        await self._wait_end(peer, stream)
        one = peer.answers.get(stream)
        if not (one and one.ended and one.reply == self.replies[0]):
            raise Unexpected(f"a good call on the same connection got {one}, GOAWAYs {peer.goaways}, lost: {wire.lost}")
        for other in script.asked:
            await self._wait_end(peer, other)
            one = peer.answers.get(other)
            if one is None or not (one.ended or one.reset is not None):
                raise Unexpected(f"stream {other}, whose request is whole, got {one}")

    async def _wait_end(self, peer: Peer, stream: int) -> None:
        for _ in range(PATIENCE):
            await self.loop.settle()
            one = peer.answers.get(stream)
            if one is not None and (one.ended or one.reset is not None):
                return
            await asyncio.sleep(PAUSE_S)

    async def _check_good(self, good: "Good", number: int) -> None:
        """Raise Unexpected unless a call on another connection gets its own answer."""
        number %= len(CALLS)
        for _ in range(TRIES):
            reply = await good.call(number)
            if reply == self.replies[number]:
                return
            if reply[0] != b"8":
                break
            await asyncio.sleep(1.0)
        raise Unexpected(f"a good call on another connection got {reply}")


async def open_player(loop: SkippingLoop) -> Player:
    """Return one that is ready."""
    player = Player(Listening(loop))
    await player.start()
    return player
