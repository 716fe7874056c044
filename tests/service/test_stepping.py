"""Coroutines that are run from future to future: they end, are cancelled and fail as in a task."""

import asyncio
from typing import Any

from ekiben.service.stepping import Steps
from tests.waiting import wait_for


class Watched:
    """A coroutine that notes what becomes of it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.futures: list[asyncio.Future[str]] = [asyncio.get_running_loop().create_future() for _ in range(2)]
        self.steps = Steps(self.run(), asyncio.get_running_loop())

    async def run(self) -> None:
        try:
            for future in self.futures:
                self.seen.append(await future)
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        finally:
            self.seen.append("end")


def run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_coroutine_goes_on_with_each_future() -> None:
    async def scenario() -> None:
        watched = Watched()
        watched.steps.go_on()
        assert not watched.seen
        watched.futures[0].set_result("first")
        await wait_for(lambda: watched.seen == ["first"])
        watched.futures[1].set_result("second")
        await wait_for(lambda: watched.seen == ["first", "second", "end"])
        watched.steps.cancel()  # it has ended

    run(scenario)


def test_a_coroutine_that_waits_is_cancelled_there() -> None:
    async def scenario() -> None:
        watched = Watched()
        watched.steps.go_on()
        watched.steps.cancel()
        await wait_for(lambda: watched.seen == ["cancelled", "end"])
        assert watched.futures[0].cancelled()

    run(scenario)


def test_a_coroutine_whose_future_is_done_is_cancelled_as_it_goes_on() -> None:
    async def scenario() -> None:
        watched = Watched()
        watched.steps.go_on()
        watched.futures[0].set_result("first")
        watched.steps.cancel()
        await wait_for(lambda: watched.seen == ["cancelled", "end"])

    run(scenario)


def test_a_coroutine_that_cancels_itself_is_cancelled_where_it_waits_next() -> None:
    async def scenario() -> None:
        seen: list[str] = []
        forever: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def cancel_itself() -> None:
            steps.cancel()
            try:
                await forever
            finally:
                seen.append("end")

        steps = Steps(cancel_itself(), asyncio.get_running_loop())
        steps.go_on()
        await wait_for(lambda: seen == ["end"])
        assert forever.cancelled()

    run(scenario)
