"""The process that attacks: apart from the good callers, whose answers it must not hold up itself."""

import asyncio
import os
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ekiben.contract.errors import UserError
from ekiben.load_tests.generator.file_limit import raise_file_limit
from ekiben.load_tests.hostile.attack import AttackTarget, Traffic

NICENESS = 10  # the good callers share its core, and go first
PREPARE_S = 120.0
LEFT_S = 90.0  # beyond its seconds: answers that an attack still waits for


class Attacker:
    """Runs one attack in a process of its own."""

    def __init__(self, process: BaseProcess, pipe: "Connection[str | None, Traffic | None]") -> None:
        self._process = process
        self._pipe = pipe

    def begin(self) -> None:
        """Let it send."""
        self._pipe.send("go")

    def is_done(self) -> bool:
        """Return whether it has sent everything, or is gone."""
        return self._pipe.poll() or not self._process.is_alive()

    def read(self) -> Traffic | None:
        """Return what came of it; None if it had to be stopped."""
        try:
            return self._pipe.recv() if self._pipe.poll() else None
        except EOFError:
            return None


@contextmanager
def start_attacker(name: str, target: AttackTarget) -> Iterator[Attacker]:
    """Start the process and wait until all its bytes are written."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=attack, args=(name, target, there), daemon=True)
    process.start()
    try:
        if not here.poll(PREPARE_S) or here.recv() is not None:
            raise UserError(f"the attack {name} could not be prepared")
        yield Attacker(process, here)
    finally:
        process.kill()
        process.join()


def attack(name: str, target: AttackTarget, pipe: "Connection[Traffic | None, str]") -> None:
    """Prepare an attack, wait for the word, and say what came of it."""
    from ekiben.load_tests.hostile.catalogue import find_attack

    os.nice(NICENESS)
    raise_file_limit()
    run = find_attack(name).prepare(target)
    pipe.send(None)
    pipe.recv()
    traffic = Traffic()
    asyncio.run(_run(run(traffic), target.seconds + LEFT_S))
    pipe.send(traffic)


async def _run(running: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await running
    except TimeoutError:
        pass
