"""SIGHUP loads what is new: one after the other, and none that was asked for is forgotten."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from ekiben.service.lifecycle.drain import reload_on_hangup
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _the_signal_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_signal_during_a_load_is_kept_until_after_it() -> None:
    async def scenario() -> None:
        begun, loading = 0, 0
        gate = asyncio.Event()

        async def load() -> None:
            nonlocal begun, loading
            begun, loading = begun + 1, loading + 1
            assert loading == 1
            await gate.wait()
            loading -= 1

        async def settle() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        reload_on_hangup(load)
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_for(lambda: begun == 1)
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            await settle()
        gate.set()
        await wait_for(lambda: begun == 2)  # the three as one
        await settle()
        assert begun == 2
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_for(lambda: begun == 3)

    asyncio.run(scenario())


def test_a_load_that_fails_does_not_keep_the_next_from_beginning() -> None:
    async def scenario() -> None:
        begun = 0

        async def load() -> None:
            nonlocal begun
            begun += 1
            raise RuntimeError("away")

        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        reload_on_hangup(load)
        for count in (1, 2):
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_for(lambda count=count: begun == count)  # type: ignore[misc]

    asyncio.run(scenario())
