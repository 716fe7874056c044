"""Feeds whole connections of damaged frames to the service: `python -m tests.fuzz.connections --seconds 3600`.

Guided by coverage, as `python -m tests.fuzz` is. An input's first byte chooses between scripts of frames, raw bytes
after a hello, and HTTP/1.1; a file of the corpus, or of a finding, is played again with `--play`. With `--unguided` the
corpus is mutated by chance: without libFuzzer and its counters, whose own memory grows.
"""

import argparse
import asyncio
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import atheris

UNGUIDED = "--unguided"
with nullcontext() if UNGUIDED in sys.argv else atheris.instrument_imports(include=["ekiben"]):
    from tests.fuzz.clock import SkippingLoop, turn_clocks
    from tests.fuzz.corpus import CASES
    from tests.fuzz.memory import count_memory
    from tests.fuzz.player import Player, open_player

GRACE_S = 60
SEEDS, SEED_BYTES = 400, (20, 60, 200, 600)
MAX_BYTES = 2000
MAX_CHANGES = 3  # bytes, in an input that is mutated by chance
EVERY = 500  # inputs between two looks at what is still in memory
WARM = 2000  # inputs before memory is measured: what is kept once is kept by then


class Fuzzer:
    """Plays what libFuzzer makes, and tells how it goes."""

    def __init__(self, player: Player, seconds: float, say_every_s: float, corpus: Path) -> None:
        self._player, self._corpus = player, corpus
        self._began = time.time()
        self._ends, self._pause_s = self._began + seconds, say_every_s
        self._said = self._began
        self._count = 0
        self._first: dict[str, int] | None = None

    def take(self, data: bytes) -> None:
        """Play one input."""
        if time.time() > self._ends:
            self.say()
            sys.stdout.flush()
            os._exit(0)  # libFuzzer would end without a word
        self._player.loop.run_until_complete(self._player.play(data))
        self._count += 1
        if self._count % EVERY == 0:
            self._player.listening.check_freed()
        if self._count == WARM:
            self._first = count_memory()
        if time.time() - self._said > self._pause_s:
            self.say()

    def say(self) -> None:
        """Print how far it is."""
        self._said = time.time()
        inputs = sum(1 for _ in self._corpus.iterdir())
        cpu_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        print(
            f"{self._said - self._began:6.0f} s, {cpu_s:6.0f} s of the CPU: {self._count:,} connections,"
            f" a corpus of {inputs:,}; first {self._first}, now {count_memory()}",
            flush=True,
        )


def play_again(player: Player, files: list[str]) -> None:
    """Play files."""
    for file in files:
        player.loop.run_until_complete(player.play(Path(file).read_bytes()))
        print(f"{file}: nothing unexpected")


def play_mutated(fuzzer: Fuzzer, corpus: Path) -> NoReturn:
    """Play files of the corpus with a few bytes changed, until the fuzzer's time is over."""
    files = [path.read_bytes() for path in sorted(corpus.iterdir())]
    chance = random.Random(len(files))
    while True:
        data = bytearray(chance.choice(files))
        for _ in range(chance.randint(0, MAX_CHANGES if data else 0)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        fuzzer.take(bytes(data))


def main() -> int:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.connections", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--say-every", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--corpus", type=Path, default=Path("/tmp/ekiben-fuzz"), help="the folder that it grows in")
    parser.add_argument(UNGUIDED, action="store_true", help="mutate what is in the corpus, without libFuzzer")
    parser.add_argument("--play", nargs="+", metavar="FILE")
    options = parser.parse_args()
    if absent := [file for file in options.play or () if not Path(file).is_file()]:
        parser.error(f"argument --play: there is no file {absent[0]}")
    loop = SkippingLoop()
    asyncio.set_event_loop(loop)
    with turn_clocks(loop):
        player = loop.run_until_complete(open_player(loop))
        if options.play:
            play_again(player, options.play)
            return 0
        fill(options.corpus)
        fuzzer = Fuzzer(player, options.seconds, options.say_every, options.corpus)
        if options.unguided:
            play_mutated(fuzzer, options.corpus)
        run(fuzzer.take, options.corpus, int(options.seconds) + GRACE_S)
    return 0


def fill(corpus: Path) -> None:
    """Let there be something to begin with."""
    corpus.mkdir(parents=True, exist_ok=True)
    for case in CASES.iterdir():
        (corpus / case.name).write_bytes(case.read_bytes())
    for seed in range(SEEDS):
        chance = random.Random(seed)
        (corpus / f"seed-{seed}").write_bytes(bytes((seed % 8,)) + chance.randbytes(chance.choice(SEED_BYTES)))


def run(take: Callable[[bytes], None], corpus: Path, seconds: int) -> None:
    given = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-len_control=0", "-timeout=60"]
    atheris.Setup([sys.argv[0], *given, f"-artifact_prefix={corpus}/../", str(corpus)], take)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
