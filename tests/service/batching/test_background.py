"""The second class: it computes while nobody else does, in large batches, and drops what finds no room."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from ekiben.contract.answers import Answers
from ekiben.contract.columns import NO_ROWS
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.service.batching import background, batch
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.batching.work import Work
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import DeadlineExceeded, EngineFailed, NotReady
from tests.doubling import POISON, SCHEMA, Doubling, ask, rows, start
from tests.waiting import wait_for

FOREVER_S = 1e6


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows wait hardly at all, unless a test says otherwise."""
    monkeypatch.setattr(background, "PATIENCE_S", 0.001)


class Clock:
    """What batches are measured with."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Timed(Doubling):
    """An engine that takes just as long as it is said to."""

    def __init__(self, clock: Clock, fixed_s: float, row_s: float) -> None:
        super().__init__()
        self.clock, self.fixed_s, self.row_s = clock, fixed_s, row_s

    def run(self, encoded: Encoded) -> Answers:
        self.clock.now += self.fixed_s + self.row_s * len(encoded)
        return super().run(encoded)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Batches take no time, unless their engine takes it."""
    clock = Clock()
    monkeypatch.setattr(batch, "time", clock)
    return clock


def encode(*numbers: float) -> Encoded:
    return Encoder(SCHEMA).encode_rows(rows(*numbers))


def work(numbers: Encoded, timeout_s: float = 10.0) -> Work:
    """Return rows for which somebody waits."""
    waiting = Work(NO_ROWS, time.monotonic() + timeout_s, asyncio.get_running_loop())
    waiting.set_encoded(numbers, 0, len(numbers))
    return waiting


Scenario = Callable[[Dataplane, BackgroundQueue], Awaitable[None]]


def serve_idly(engine: Doubling, scenario: Scenario, champion: Doubling | None = None, max_rows: int = 10_000) -> None:
    """Run a scenario against a first class and a second."""

    async def main() -> None:
        turns = EngineTurns()
        first = start(champion or Doubling(), turns=turns)
        first.queue.cost.fixed_s = first.queue.cost.row_s = 0.0
        second = BackgroundQueue(engine, turns, max_rows)
        try:
            async with asyncio.timeout(60):
                await scenario(first, second)
        finally:
            second.close()
            first.close()
        threads = [thread for thread in engine.threads if thread is not threading.main_thread()]
        assert not any(thread.is_alive() for thread in threads)

    asyncio.run(main())


def test_whoever_submits_gets_the_answers_to_its_own_rows() -> None:
    engine = Doubling()
    generator = np.random.default_rng(0)

    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        asked = [generator.integers(0, 1000, generator.integers(1, 100)).tolist() for _ in range(50)]
        given: list[list[float] | None] = [None] * len(asked)

        def keep(index: int) -> Callable[[Answers], None]:
            def receive(answers: Answers) -> None:
                given[index] = answers[:, 0].tolist()

            return receive

        for index, numbers in enumerate(asked):
            assert second.submit(encode(*numbers), keep(index))
        await wait_for(lambda: None not in given)
        assert given == [[2.0 * number for number in numbers] for numbers in asked]
        assert (second.waiting_rows, second.dropped_rows) == (0, 0)

    serve_idly(engine, scenario)
    assert len(engine.batches) < 50


@pytest.mark.parametrize(
    ("fixed_s", "row_s", "batches"),
    [
        (0.0, 1e-6, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]),
        (0.0, 1e-4, [1, 2, 4, 8, 8, 8]),
        (0.005, 1e-4, [1, 2, 4, 8, 8, 8]),
        (0.0, 4e-4, [1, 2, 4, 2, 4, 2]),
    ],
)
def test_batches_grow_until_a_caller_would_notice(
    fixed_s: float, row_s: float, batches: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Timed(clock, fixed_s, row_s)
    monkeypatch.setattr(background, "PATIENCE_S", FOREVER_S)  # more than a batch may have need not wait for company

    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        count = sum(batches)
        second.submit(encode(*range(count)), given.append)
        await wait_for(lambda: bool(given))
        assert given[0][:, 0].tolist() == [2.0 * number for number in range(count)]

    serve_idly(engine, scenario)
    assert engine.batches == batches
    assert engine.threads[-1] is not threading.main_thread()


def test_what_a_batch_leaves_of_rows_that_somebody_waits_for_waits_for_no_company(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "PATIENCE_S", FOREVER_S)

    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        waited_for = work(encode(*range(100)))
        assert second.add(waited_for)
        assert len(await waited_for.future) == 100  # 1, 2, 4 … and 37 in the last batch, where 64 may be

    serve_idly(Doubling(), scenario)


def test_a_batch_that_took_too_long_makes_the_next_ones_smaller_for_a_while(clock: Clock) -> None:
    engine = Timed(clock, 0.0, 1e-6)

    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        await learn(second)
        engine.batches.clear()
        given: list[Answers] = []
        for engine.row_s in (1e-5, 1e-6):
            second.submit(encode(*range(960)), given.append)
            await wait_for(lambda: len(given) == 1)
            given.clear()

    serve_idly(engine, scenario)
    assert engine.batches == [512, 256, 128, 64, 64, 128, 256, 512]


async def learn(second: BackgroundQueue) -> None:
    """Let the queue find out that it may compute large batches."""
    given: list[Answers] = []
    second.submit(encode(*range(background.MIN_ROWS)), given.append)
    await wait_for(lambda: bool(given))


def test_few_rows_wait_for_company_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Doubling()

    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        await learn(second)
        engine.batches.clear()
        given: list[Answers] = []
        monkeypatch.setattr(background, "PATIENCE_S", FOREVER_S)
        second.submit(encode(1, 2), given.append)
        await asyncio.sleep(0.03)
        assert engine.batches == []
        second.submit(encode(*range(background.MIN_ROWS - 2)), given.append)
        await wait_for(lambda: len(given) == 2)
        assert engine.batches == [background.MIN_ROWS]
        monkeypatch.setattr(background, "PATIENCE_S", 0.001)
        second.submit(encode(3), given.append)
        await wait_for(lambda: len(given) == 3)

    serve_idly(engine, scenario)


def test_nothing_is_computed_while_the_first_class_computes_or_has_rows() -> None:
    engine, champion = Doubling(), Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        first.queue.cost.fixed_s = 0.01
        champion.gate = threading.Event()
        running = asyncio.create_task(ask(first, rows(1)))
        await wait_for(lambda: bool(champion.batches))
        given: list[Answers] = []
        second.submit(encode(5), given.append)
        await asyncio.sleep(0.03)
        first.queue.waiting_rows += 1  # admitted, and not encoded yet
        champion.gate.set()
        assert await running == [2.0]
        await asyncio.sleep(0.03)
        assert engine.batches == []
        first.queue.waiting_rows -= 1
        await wait_for(lambda: bool(given))

    serve_idly(engine, scenario, champion)


def test_under_overload_nothing_is_computed_and_what_finds_no_room_is_dropped() -> None:
    engine = Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        stopped = asyncio.Event()

        async def call() -> None:
            while not stopped.is_set():
                await ask(first, rows(1))
                await asyncio.sleep(0)  # an answer computed on the event loop needs no turn of it

        calling = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(0)
        taken = [second.submit(encode(*range(100)), given.append) for _ in range(5)]
        assert taken == [True, True, True, False, False]
        assert (second.waiting_rows, second.dropped_rows) == (300, 200)
        await asyncio.sleep(0.1)
        assert (given, engine.batches) == ([], [])
        stopped.set()
        await asyncio.gather(*calling)
        await wait_for(lambda: len(given) == 3)
        assert second.submit(encode(1), given.append)

    serve_idly(engine, scenario, max_rows=399)


def test_a_caller_waits_for_one_batch_of_the_second_class() -> None:
    engine = Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        engine.gate = threading.Event()
        second.submit(encode(*range(100)), given.append)
        await wait_for(lambda: bool(engine.batches))
        asking = asyncio.create_task(ask(first, rows(1)))
        await asyncio.sleep(0.03)
        assert not asking.done()
        engine.gate.set()
        assert await asking == [2.0]
        await wait_for(lambda: bool(given))

    serve_idly(engine, scenario)


def test_several_take_turns() -> None:
    engine, other = Doubling(), Doubling()
    order = engine.order = other.order

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        third = BackgroundQueue(other, first.queue._turns, 10_000)
        given: list[Answers] = []
        for queue in (second, third):
            queue.submit(encode(*range(7)), given.append)
        await wait_for(lambda: len(given) == 2)
        third.close()

    serve_idly(engine, scenario)
    assert engine.batches == other.batches == [1, 2, 4]
    assert order == 3 * [engine, other]


def test_those_who_are_gone_or_too_late_keep_no_room() -> None:
    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        second.pause()
        leaving, late, staying = (work(encode(1, 2, 3, 4), timeout_s) for timeout_s in (10, 0.01, 10))
        assert second.add(leaving)
        assert second.add(late)
        leaving.future.cancel()
        await wait_for(late.future.done)
        assert isinstance(late.future.exception(), DeadlineExceeded)
        assert second.add(staying)
        assert not second.add(work(encode(*range(7))))
        assert (second.waiting_rows, second.dropped_rows) == (4, 7)
        second.resume()
        assert len(await staying.future) == 4
        assert second.waiting_rows == 0

    serve_idly(Doubling(), scenario, max_rows=10)


def test_whom_somebody_waits_for_waits_for_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        await learn(second)
        monkeypatch.setattr(background, "PATIENCE_S", FOREVER_S)
        waiting = work(encode(1, 2))
        assert second.add(waiting)
        assert (await waiting.future)[:, 0].tolist() == [2.0, 4.0]

    serve_idly(Doubling(), scenario)


def test_what_nobody_wants_any_more_is_skipped() -> None:
    engine = Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        first.queue.waiting_rows += 1
        cancelled, late, wanted = work(encode(1)), work(encode(2, 3), timeout_s=0.02), work(encode(4))
        assert all(second.add(one) for one in (cancelled, late, wanted))
        cancelled.future.cancel()
        with pytest.raises(DeadlineExceeded):
            await late.future
        first.queue.waiting_rows -= 1
        assert (await wanted.future)[:, 0].tolist() == [8.0]
        assert second.waiting_rows == 0

    serve_idly(engine, scenario)
    assert engine.batches == [1]


def test_an_engine_that_fails_gives_no_answers_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        second.submit(encode(POISON, 1, POISON), given.append)
        waiting = work(encode(POISON))
        second.add(waiting)
        with pytest.raises(EngineFailed):
            await waiting.future
        assert second.dropped_rows == 4
        assert caplog.text.count("Traceback") == 1
        assert await ask(first, rows(1)) == [2.0]
        second.submit(encode(2), given.append)
        await wait_for(lambda: bool(given))
        assert given[0].tolist() == [[4.0]]

    serve_idly(Doubling(), scenario)


def test_a_receiver_that_fails_does_not_stop_the_others() -> None:
    async def scenario(_: Dataplane, second: BackgroundQueue) -> None:
        errors: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        given: list[Answers] = []
        second.submit(encode(1), lambda answers: given.extend(answers[1]))
        second.submit(encode(2), given.append)
        await wait_for(lambda: bool(given))
        assert len(errors) == 1

    serve_idly(Doubling(), scenario)


def test_paused_it_computes_nothing_until_it_goes_on() -> None:
    engine = Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        first.queue.waiting_rows += 1
        assert second.submit(encode(1), given.append)
        await asyncio.sleep(0.03)  # it has lined up by then
        second.pause()
        first.queue.waiting_rows -= 1
        assert second.submit(encode(2), given.append)
        await asyncio.sleep(0.03)
        assert engine.batches == []
        second.resume()
        await wait_for(lambda: len(given) == 2)

    serve_idly(engine, scenario)


def test_closed_while_it_computes_it_delivers_nothing_and_the_first_class_goes_on() -> None:
    engine = Doubling()

    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        given: list[Answers] = []
        engine.gate = threading.Event()
        second.submit(encode(1), given.append)
        second.submit(encode(*range(10)), given.append)
        await wait_for(lambda: bool(engine.batches))
        second.close()
        assert not second.submit(encode(2), given.append)
        engine.gate.set()
        assert await ask(first, rows(1)) == [2.0]
        await asyncio.sleep(0.03)
        assert (given, engine.batches, second.waiting_rows) == ([], [1], 0)

    serve_idly(engine, scenario)


def test_closed_it_tells_those_who_wait_that_the_service_is_stopping() -> None:
    async def scenario(first: Dataplane, second: BackgroundQueue) -> None:
        first.queue.waiting_rows += 1  # the second class waits
        deadline = time.monotonic() + FOREVER_S
        waiting, leaving = (asyncio.ensure_future(second.answer(encode(1), deadline)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        second.close()
        with pytest.raises(NotReady):
            await waiting
        with pytest.raises(asyncio.CancelledError):
            await leaving
        with pytest.raises(NotReady):
            await second.answer(encode(1), deadline)
        first.queue.waiting_rows -= 1

    serve_idly(Doubling(), scenario)
