"""The queue: what is merged, split, dropped, rejected, and that no answer is ever swapped."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput
from ekiben.model.engine import MAX_BATCH_ROWS
from ekiben.service.batching.queue import INLINE_LIMIT_S, BatchQueue
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import CallerGone, DeadlineExceeded, EngineFailed, NotReady, Overloaded
from ekiben.service.telemetry.statistics import Recorder
from tests.doubling import POISON, SCHEMA, Doubling, ask, rows, serve
from tests.waiting import wait_for


def test_every_caller_gets_its_own_answers() -> None:
    engine = Doubling()
    generator = np.random.default_rng(0)

    async def caller(dataplane: Dataplane, numbers: list[int]) -> None:
        await asyncio.sleep(float(generator.random()) / 100)
        assert await ask(dataplane, rows(*numbers)) == [2.0 * number for number in numbers]

    async def scenario(dataplane: Dataplane) -> None:
        requests = [generator.integers(0, 1000, generator.integers(1, 40)).tolist() for _ in range(300)]
        await asyncio.gather(*(caller(dataplane, numbers) for numbers in requests))

    serve(engine, scenario)
    assert sum(engine.batches) > len(engine.batches)  # something was merged


def test_what_arrives_in_one_turn_is_one_batch() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        await asyncio.gather(*(ask(dataplane, rows(number)) for number in range(50)))

    serve(engine, scenario)
    assert engine.batches == [50]


def test_a_lone_request_is_not_kept_waiting_for_company() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        for number in range(5):
            assert await ask(dataplane, rows(number)) == [2.0 * number]

    serve(engine, scenario)
    assert engine.batches == [1] * 5


def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    engine = Doubling(seconds=0.05)

    async def scenario(dataplane: Dataplane) -> None:
        first = asyncio.create_task(ask(dataplane, rows(1)))
        while not engine.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(ask(dataplane, rows(number))) for number in range(2, 12)]
        await asyncio.gather(first, *others)

    serve(engine, scenario)
    assert engine.batches == [1, 10]


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_request_larger_than_a_batch_is_split_and_rejoined(seconds: float) -> None:
    engine = Doubling(seconds)
    numbers = list(range(2 * MAX_BATCH_ROWS + 7))

    async def scenario(dataplane: Dataplane) -> None:
        small, large = await asyncio.gather(ask(dataplane, rows(-5)), ask(dataplane, rows(*numbers)))
        assert small == [-10.0]
        assert large == [2.0 * number for number in numbers]

    serve(engine, scenario)
    assert max(engine.batches) == MAX_BATCH_ROWS


def test_only_the_request_that_breaks_the_engine_fails(caplog: pytest.LogCaptureFixture) -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        asked = [rows(1), rows(2, 3), rows(4, POISON), rows(5), rows(6)]
        given = await asyncio.gather(*(ask(dataplane, some) for some in asked), return_exceptions=True)
        assert isinstance(given[2], EngineFailed)
        assert [given[0], given[1], given[3], given[4]] == [[2.0], [4.0, 6.0], [10.0], [12.0]]

    serve(engine, scenario)
    assert "poison" in caplog.text


def test_a_failed_batch_does_not_make_the_engine_look_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        before = dataplane.queue.cost.predict(64)
        await asyncio.gather(*(ask(dataplane, rows(POISON)) for _ in range(64)), return_exceptions=True)
        assert dataplane.queue.cost.predict(64) == before

    serve(Doubling(seconds=0.002), scenario)


def test_an_unexpected_error_in_encoding_reaches_its_caller_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encode = Encoder.encode

    def break_on_13(self: Encoder, columns: Any) -> Encoded:
        if 13.0 in columns["x"]:
            raise ZeroDivisionError("thirteen")
        return encode(self, columns)

    async def scenario(dataplane: Dataplane) -> None:
        monkeypatch.setattr(Encoder, "encode", break_on_13)
        given = await asyncio.gather(*(ask(dataplane, rows(n)) for n in (12, 13, 14)), return_exceptions=True)
        assert [given[0], given[2]] == [[24.0], [28.0]]
        assert isinstance(given[1], ZeroDivisionError)

    serve(Doubling(), scenario)


def test_a_large_request_does_not_hold_up_a_small_one() -> None:
    engine = Doubling(row_seconds=0.001)

    async def scenario(dataplane: Dataplane) -> None:
        large = asyncio.create_task(ask(dataplane, rows(*range(1000))))
        await asyncio.sleep(0.01)
        began = time.monotonic()
        assert await ask(dataplane, rows(5)) == [10.0]
        assert time.monotonic() - began < 0.7  # the large one alone takes a second
        assert len(await large) == 1000

    serve(engine, scenario)
    assert max(engine.batches) <= 200


def test_too_few_answers_are_an_error_and_not_shifted() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        engine.short = True
        given = await asyncio.gather(*(ask(dataplane, rows(n)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(one, EngineFailed) for one in given)

    serve(engine, scenario)


def test_a_bad_row_fails_its_own_request_and_no_other() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        asked = [rows(1), [{"x": "far", "c": "a"}], rows(2), [{"x": 1.0}], [None]]
        given = await asyncio.gather(*(ask(dataplane, some) for some in asked), return_exceptions=True)
        assert [given[0], given[2]] == [[2.0], [4.0]]
        assert str(given[1]) == "row 0: `x`: expected a number, got 'far'"
        assert str(given[3]) == "row 0: `c`: missing; it is required"
        assert isinstance(given[4], InvalidInput)

    serve(engine, scenario)


def test_no_rows_are_rejected() -> None:
    async def scenario(dataplane: Dataplane) -> None:
        with pytest.raises(InvalidInput, match="at least one row"):
            await ask(dataplane, [])

    serve(Doubling(), scenario)


def test_unseen_values_are_reported_to_the_request_that_sent_them() -> None:
    async def scenario(dataplane: Dataplane) -> None:
        asked = [rows(1), [*rows(1), {"x": 2.0, "c": "zebra"}], rows(2)]
        given = await asyncio.gather(*(dataplane.predict(some, 10, "test") for some in asked))
        warnings = [[str(warning) for warning in prediction.warnings] for prediction in given]
        assert warnings == [[], ["row 1: `c`: 'zebra' was not seen in training"], []]

    serve(Doubling(), scenario)


def test_expired_work_is_dropped_before_it_is_computed() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        dataplane.queue.cost.fixed_s = 0.01  # believed to be quick, so that it is let in, and to need the thread
        engine.gate = threading.Event()
        first = asyncio.create_task(ask(dataplane, rows(1)))
        await wait_for(lambda: bool(engine.batches))
        with pytest.raises(DeadlineExceeded):
            await ask(dataplane, rows(2), timeout_s=0.05)
        assert not first.done()  # told at its deadline, not when the engine came free
        engine.gate.set()
        assert await first == [2.0]
        assert await ask(dataplane, rows(3)) == [6.0]

    serve(engine, scenario)
    assert engine.batches == [1, 1]


def test_a_batch_that_takes_too_long_is_answered_at_the_deadline() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        dataplane.queue.cost.fixed_s = 0.01
        engine.gate = threading.Event()
        with pytest.raises(DeadlineExceeded):
            await ask(dataplane, rows(1), timeout_s=0.05)
        assert engine.batches == [1]
        engine.gate.set()

    serve(engine, scenario)


def test_the_batch_is_cut_so_that_the_earliest_deadline_holds() -> None:
    engine = Doubling(row_seconds=0.001)

    async def scenario(dataplane: Dataplane) -> None:
        hurried = asyncio.create_task(ask(dataplane, rows(*range(10)), timeout_s=0.08))
        patient = [asyncio.create_task(ask(dataplane, rows(*range(100)))) for _ in range(5)]
        assert len(await hurried) == 10
        await asyncio.gather(*patient)

    serve(engine, scenario)
    assert engine.batches[0] < 70


def test_a_full_queue_rejects_and_says_when_to_come_back() -> None:
    engine = Doubling(seconds=0.05)

    async def scenario(dataplane: Dataplane) -> None:
        first = asyncio.create_task(ask(dataplane, rows(1)))
        while not engine.batches:
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(ask(dataplane, rows(*range(15))))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as rejected:
            await ask(dataplane, rows(*range(10)))
        assert rejected.value.retry_after_s >= 1
        await asyncio.gather(first, waiting)
        assert len(await ask(dataplane, rows(*range(10)))) == 10

    serve(engine, scenario, max_waiting_rows=20)


def test_rows_of_a_caller_who_left_are_not_computed() -> None:
    engine = Doubling(seconds=0.05)

    async def scenario(dataplane: Dataplane) -> None:
        first = asyncio.create_task(ask(dataplane, rows(1)))
        while not engine.batches:
            await asyncio.sleep(0.001)
        left = asyncio.Event()
        leaving = asyncio.create_task(dataplane.predict(rows(2, 3, 4), 10, "test", left.wait))
        staying = asyncio.create_task(ask(dataplane, rows(5)))
        await asyncio.sleep(0.01)
        left.set()
        with pytest.raises(CallerGone):
            await leaving
        assert (await first, await staying) == ([2.0], [10.0])

    serve(engine, scenario)
    assert engine.batches == [1, 1]


def test_a_closed_dataplane_takes_nothing() -> None:
    async def scenario(dataplane: Dataplane) -> None:
        dataplane.close()
        with pytest.raises(NotReady):
            await ask(dataplane, rows(1))

    serve(Doubling(), scenario)


def test_short_batches_run_on_the_event_loop_and_long_ones_in_the_thread() -> None:
    async def light(dataplane: Dataplane) -> None:
        while dataplane.queue.cost.predict(1) > INLINE_LIMIT_S:  # the machine was busy as the engine was warmed up
            await ask(dataplane, rows(1))
        await ask(dataplane, rows(1))

    async def heavy(dataplane: Dataplane) -> None:
        await ask(dataplane, rows(1))

    fast, slow = Doubling(), Doubling(seconds=0.02)
    serve(fast, light)
    serve(slow, heavy)
    assert fast.threads[-1] is threading.main_thread()
    assert slow.threads[-1] is not threading.main_thread()


def test_rejected_rows_leave_no_room_taken() -> None:
    """Whatever way rows leave the queue, the room they had is free again; `serve` checks it."""

    async def scenario(dataplane: Dataplane) -> None:
        for _ in range(3):
            given = await asyncio.gather(
                ask(dataplane, rows(1)),
                ask(dataplane, [{"x": None, "c": "a"}]),
                ask(dataplane, rows(POISON)),
                ask(dataplane, rows(1), timeout_s=1e-9),
                return_exceptions=True,
            )
            assert given[0] == [2.0]
            assert all(isinstance(one, Exception) for one in given[1:])

    serve(Doubling(), scenario)


def test_encoding_belongs_to_the_queue_only_through_arrays() -> None:
    """Work may come from different encodings; merging keeps each one's rows in place."""

    async def scenario() -> None:
        engine = Doubling()
        queue = BatchQueue(engine, max_waiting_rows=100, recorder=Recorder())
        encoder = Encoder(SCHEMA)
        loop = asyncio.get_running_loop()
        from ekiben.service.batching.work import Work

        works = []
        for numbers in ([1, 2], [3], [4, 5, 6]):
            queue.admit(len(numbers), time.monotonic() + 10)
            work = Work(rows(*numbers), time.monotonic() + 10, loop)
            work.set_encoded(encoder.encode_rows(rows(0, *numbers)), 1, len(numbers) + 1)
            queue.submit(work)
            works.append(work)
        queue.dispatch()
        answers = [(await work.future)[:, 0].tolist() for work in works]
        assert answers == [[2.0, 4.0], [6.0], [8.0, 10.0, 12.0]]
        assert engine.batches == [6]
        queue.close()

    asyncio.run(scenario())


def test_what_was_answered_and_rejected_is_counted() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        before = dataplane.recorder.read()
        await asyncio.gather(*(ask(dataplane, rows(*range(5))) for _ in range(3)))
        with pytest.raises(InvalidInput):
            await ask(dataplane, [{"x": "far", "c": "a"}])
        after = dataplane.recorder.read()
        assert (before.last_inference_ms, after.last_inference_ms > 0) == (0, True)
        assert after.inference_count - before.inference_count == 15
        assert after.execution_count - before.execution_count == 1
        assert (after.success.count, after.fail.count) == (3, 1)
        assert after.success.ns > 0
        parts = after.queue, after.compute_input, after.compute_infer, after.compute_output
        assert [part.count for part in parts] == [3] * 4  # though they were encoded and computed together
        assert 0 < sum(part.ns for part in parts) <= after.success.ns
        assert after.compute_infer.ns >= 3 * after.batches[16].ns - 3  # each of them waited for the batch
        assert {rows: spent.count for rows, spent in after.batches.items()} == {16: 1}

    serve(engine, scenario)
