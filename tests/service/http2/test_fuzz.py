"""A few hundred connections of the fuzzers' (`python -m tests.fuzz.connections`), and what those found once."""

import asyncio
import random
import sys
from collections.abc import Iterator

import pytest

from tests.fuzz.clock import SkippingLoop, turn_clocks
from tests.fuzz.corpus import CASES
from tests.fuzz.memory import count_memory
from tests.fuzz.player import Player, open_player

KINDS = {"raw": 0, "http1": 1, "scripts": 2}
COUNT, SIZES = 120, (20, 60, 200, 600)
MAX_GROWTH = 200  # objects: what is kept once, and by few


@pytest.fixture
def player() -> Iterator[Player]:
    loop, hook = SkippingLoop(), sys.unraisablehook
    asyncio.set_event_loop(loop)
    try:
        with turn_clocks(loop):
            opened = loop.run_until_complete(open_player(loop))
            yield opened
            opened.close()
    finally:
        sys.unraisablehook = hook
        loop.close()
        asyncio.set_event_loop(None)


def make(kind: int, seed: int) -> bytes:
    chance = random.Random(seed)
    return bytes((kind,)) + chance.randbytes(chance.choice(SIZES))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_connection_brings_others_are_answered_and_nothing_is_kept(kind: str, player: Player) -> None:
    for seed in range(COUNT // 4):
        player.loop.run_until_complete(player.play(make(KINDS[kind], seed)))
    player.listening.check_freed()
    before = count_memory()["objects"]
    for seed in range(COUNT // 4, COUNT):
        player.loop.run_until_complete(player.play(make(KINDS[kind], seed)))
    player.listening.check_freed()
    assert count_memory()["objects"] - before < MAX_GROWTH


@pytest.mark.parametrize("case", sorted(one.name for one in CASES.iterdir()))
def test_what_was_found_once(case: str, player: Player) -> None:
    player.loop.run_until_complete(player.play((CASES / case).read_bytes()))
    player.listening.check_freed()
