"""Fair turns: several queues on one engine thread, and none of them waits for another's flood."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import DeadlineExceeded, EngineFailed, Overloaded
from tests.doubling import POISON, Doubling, ask, rows, start
from tests.waiting import wait_for


class Costing:
    """A queue whose batches cost what they are said to; `computed` gets its name at each."""

    waiting_rows = 0
    backlog_s = 0.0

    def __init__(self, name: str, seconds: float, turns: EngineTurns, computed: list[str]) -> None:
        self.name, self.seconds, self.turns, self.computed = name, seconds, turns, computed
        self.finish_tag = 0.0
        self.batches = 0  # that it wants
        self.broken = False
        turns.join(self)

    @property
    def predicted_s(self) -> float:
        return self.seconds * self.batches

    def ask(self, batches: int) -> None:
        self.batches += batches
        if self.turns.take(self):
            self.compute_next()
        else:
            self.turns.wait(self)

    def compute_next(self) -> None:
        self.batches -= 1
        if self.batches:
            self.turns.wait(self)
        self.computed.append(self.name)
        self.turns.charge(self, self.seconds)
        if self.broken:
            raise ZeroDivisionError


def take_turns(scenario: Callable[[EngineTurns, list[str]], Awaitable[None]]) -> None:
    """Run a scenario with turns and the names of who computed."""

    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario(EngineTurns(), [])

    asyncio.run(main())


def serve_both(light: Doubling, heavy: Doubling, scenario: Callable[[Dataplane, Dataplane], Awaitable[None]]) -> None:
    """Run a scenario against two dataplanes that take turns; `heavy` is believed to need the thread for a row."""

    async def main() -> None:
        turns = EngineTurns()
        both = start(light, turns=turns), start(heavy, turns=turns)
        both[0].queue.cost.fixed_s = both[0].queue.cost.row_s = 0.0
        both[1].queue.cost.fixed_s = 0.01
        try:
            async with asyncio.timeout(60):
                await scenario(*both)
        finally:
            for engine in (light, heavy):
                if engine.gate:
                    engine.gate.set()
            for dataplane in both:
                dataplane.close()
        assert [dataplane.queue.waiting_rows for dataplane in both] == [0, 0]

    asyncio.run(main())


async def turn(times: int = 10) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def test_queues_that_always_have_rows_get_the_same_time_and_not_the_same_turns() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        dear, cheap = Costing("dear", 4.0, turns, computed), Costing("cheap", 1.0, turns, computed)
        dear.ask(1000)
        cheap.ask(1000)
        await wait_for(lambda: len(computed) >= 100)
        assert Counter(computed[:100]) == {"cheap": 80, "dear": 20}

    take_turns(scenario)


def test_who_comes_is_next_whatever_others_have_waiting() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        flooded, calm = Costing("flooded", 1.0, turns, computed), Costing("calm", 1.0, turns, computed)
        flooded.ask(1000)
        for _ in range(5):
            await turn()
            before = len(computed)
            calm.ask(1)
            await wait_for(lambda: not calm.batches)
            assert computed[before:].index("calm") <= 1
        assert flooded.batches > 0

    take_turns(scenario)


def test_neither_idleness_nor_having_been_alone_counts_afterwards() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        first, second = Costing("first", 1.0, turns, computed), Costing("second", 1.0, turns, computed)
        first.ask(50)
        await wait_for(lambda: len(computed) == 50)
        second.ask(1000)
        first.ask(1000)
        await wait_for(lambda: len(computed) >= 70)
        assert Counter(computed[50:70]) == {"first": 10, "second": 10}

    take_turns(scenario)


def test_a_queue_that_breaks_in_its_turn_does_not_keep_the_others_from_theirs() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        errors: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        first, broken = Costing("first", 1.0, turns, computed), Costing("broken", 1.0, turns, computed)
        first.ask(3)
        broken.ask(2)
        broken.broken = True
        await wait_for(lambda: len(computed) == 5)
        assert (len(errors), computed[-2:]) == (1, ["broken", "first"])

    take_turns(scenario)


def test_a_wait_counts_the_others_as_far_as_they_have_rows() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        mine, short, long = (Costing(name, 1.0, turns, computed) for name in ("mine", "short", "long"))
        assert turns.stretch(mine, 5.0) == 5.0
        for queue, batches in ((mine, 6), (short, 4), (long, 100)):  # the first of each is computed at once
            queue.ask(batches)
        assert turns.stretch(mine, 5.0) == 5.0 + 3.0 + 5.0
        assert turns.predict_wait(mine, 5.0) >= 13.0

    take_turns(scenario)


def test_who_is_asked_for_can_wait_as_long_as_the_shortest_queue_that_is_in_use() -> None:
    async def scenario(turns: EngineTurns, computed: list[str]) -> None:
        flooded, calm = Costing("flooded", 1.0, turns, computed), Costing("calm", 1.0, turns, computed)
        assert turns.backlog_s == 0.0
        flooded.backlog_s, calm.backlog_s = 5.0, 1.0
        flooded.ask(1)
        assert turns.backlog_s == 5.0  # nobody asks the other
        calm.ask(1)
        assert turns.backlog_s == 1.0
        turns.leave(calm)
        assert turns.backlog_s == 5.0
        calm.ask(1)  # that it had taken before
        assert (turns.backlog_s, computed) == (5.0, ["flooded", "calm", "calm"])

    take_turns(scenario)


def test_a_caller_waits_for_one_batch_of_another_queue_and_not_for_its_flood() -> None:
    light, heavy = Doubling(), Doubling(seconds=0.01)
    order = heavy.order = light.order

    async def scenario(calm: Dataplane, flooded: Dataplane) -> None:
        stopped = asyncio.Event()

        async def call() -> None:
            while not stopped.is_set():
                await ask(flooded, rows(*range(10)))

        flood = [asyncio.create_task(call()) for _ in range(20)]
        await wait_for(lambda: len(heavy.batches) >= 3)
        for number in range(3):
            before = len(order)
            assert await ask(calm, rows(number)) == [2.0 * number]
            assert order[before:].index(light) <= 1  # that ran already, or began as this was asked
        stopped.set()
        await asyncio.gather(*flood)

    serve_both(light, heavy, scenario)
    assert light.batches == [1, 1, 1]


def test_one_engine_computes_at_a_time_and_deadlines_hold_meanwhile() -> None:
    light, heavy = Doubling(), Doubling()

    async def scenario(calm: Dataplane, busy: Dataplane) -> None:
        heavy.gate = threading.Event()
        running = asyncio.create_task(ask(busy, rows(1)))
        await wait_for(lambda: bool(heavy.batches))
        waiting = asyncio.create_task(ask(calm, rows(2)))
        await turn()
        with pytest.raises(DeadlineExceeded):
            await ask(calm, rows(3), timeout_s=0.05)
        assert (light.batches, running.done(), calm.queue.idle) == ([], False, False)
        heavy.gate.set()
        assert (await running, await waiting) == ([2.0], [4.0])

    serve_both(light, heavy, scenario)
    assert light.batches == [1]  # what came too late was not computed


def test_deadlines_hold_for_what_came_just_before_another_queue_took_its_turn() -> None:
    light, heavy = Doubling(), Doubling()

    async def scenario(calm: Dataplane, busy: Dataplane) -> None:
        heavy.gate = threading.Event()
        prepared = calm.prepare(rows(2), lambda: None)  # such rows are in the queue before it is dispatched
        running = asyncio.create_task(busy.predict(rows(1), 10, "test", asyncio.Event().wait))
        waiting = asyncio.create_task(calm.predict(prepared, 0.05, "test"))
        with pytest.raises(DeadlineExceeded):
            await waiting
        assert not running.done()
        heavy.gate.set()
        assert (await running).answers.tolist() == [[2.0]]
        await wait_for(lambda: not calm.queue.waiting_rows)

    serve_both(light, heavy, scenario)


def test_what_another_queues_batch_makes_too_late_is_rejected_at_once() -> None:
    light, heavy = Doubling(), Doubling()

    async def scenario(calm: Dataplane, busy: Dataplane) -> None:
        heavy.gate = threading.Event()
        busy.queue.cost.fixed_s = 100.0
        running = asyncio.create_task(ask(busy, rows(1), timeout_s=1000))
        await wait_for(lambda: bool(heavy.batches))
        with pytest.raises(Overloaded):
            await ask(calm, rows(2), timeout_s=10)
        heavy.gate.set()
        assert await running == [2.0]
        assert await ask(calm, rows(3), timeout_s=10) == [6.0]

    serve_both(light, heavy, scenario)


def test_an_engine_that_fails_is_charged_for_it_and_only_its_own_callers_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    light, heavy = Doubling(), Doubling(seconds=0.01)

    async def scenario(calm: Dataplane, broken: Dataplane) -> None:
        failing = [asyncio.create_task(ask(broken, rows(POISON))) for _ in range(4)]
        await wait_for(lambda: bool(heavy.batches))
        assert await ask(calm, rows(1)) == [2.0]
        given = await asyncio.gather(*failing, return_exceptions=True)
        assert all(isinstance(one, EngineFailed) for one in given)
        assert broken.queue.finish_tag >= 0.01 * 7  # the batch, its halves, and theirs

    serve_both(light, heavy, scenario)


def test_a_queue_may_close_while_it_computes_and_the_others_go_on() -> None:
    light, heavy = Doubling(), Doubling()

    async def scenario(staying: Dataplane, leaving: Dataplane) -> None:
        heavy.gate = threading.Event()
        last = asyncio.create_task(ask(leaving, rows(1)))
        await wait_for(lambda: bool(heavy.batches))
        leaving.close()
        waiting = asyncio.create_task(ask(staying, rows(2)))
        await turn()
        assert not waiting.done()
        heavy.gate.set()
        assert (await last, await waiting) == ([2.0], [4.0])
        staying.queue.cost.fixed_s = 0.01
        assert await ask(staying, rows(3)) == [6.0]
        assert light.threads[-1] is heavy.threads[-1]
        assert light.threads[-1].is_alive()
        staying.close()
        assert not light.threads[-1].is_alive()

    serve_both(light, heavy, scenario)
