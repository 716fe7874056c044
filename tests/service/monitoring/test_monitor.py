"""What is answered is counted, all of it or every k-th batch, in bounded memory, whatever the clock does."""

import asyncio
import time

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import EngineFailed
from ekiben.service.monitoring import monitor as module
from ekiben.service.monitoring.monitor import Monitor
from ekiben.service.monitoring.windows import KEPT, MAX_BYTES, MIN_KEPT, Windows
from tests.doubling import POISON, SCHEMA, Doubling, ask, rows, serve
from tests.waiting import wait_for


def read_counts(monitor: Monitor) -> np.ndarray:
    """All that was counted so far."""
    monitor.count_all()
    return np.asarray(sum(tally.counts for _, tally in monitor.windows.list("days")))


def read_rows(monitor: Monitor) -> tuple[int, int]:
    """How many rows were answered and how many counted."""
    tallies = [tally for _, tally in monitor.windows.list("days")]
    return sum(tally.rows for tally in tallies), sum(tally.counted for tally in tallies)


def count_directly(reference: Reference, *numbers: float) -> np.ndarray:
    encoded = Encoder(SCHEMA).encode_rows(rows(*numbers))
    return RowCounter(SCHEMA, reference).count(encoded, encoded.numbers * 2)


def test_every_answered_row_is_counted_once(reference: Reference) -> None:
    sizes = [1, 1, 7, 500, 3]
    numbers = np.random.default_rng(1).uniform(-100, 1100, sum(sizes)).round(1)
    requests = np.split(numbers, np.cumsum(sizes)[:-1])

    async def scenario(dataplane: Dataplane) -> None:
        assert dataplane.monitor is not None
        await asyncio.gather(*(ask(dataplane, rows(*request)) for request in requests))
        assert np.array_equal(read_counts(dataplane.monitor), count_directly(reference, *numbers))
        assert read_rows(dataplane.monitor) == (len(numbers), len(numbers))

    serve(Doubling(), scenario, reference=reference)


def test_warming_up_is_not_counted(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        assert dataplane.monitor is not None
        dataplane.monitor.count_all()
        assert dataplane.monitor.windows.list("days") == []

    serve(Doubling(), scenario, reference=reference)


def test_a_quiet_service_counts_by_itself(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)

    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        await ask(dataplane, rows(1.0))
        await wait_for(lambda: read_rows(monitor) == (1, 1))

    serve(Doubling(), scenario, reference=reference)


def test_rows_the_engine_fails_on_are_not_counted_and_their_neighbours_are(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        assert dataplane.monitor is not None
        given = [ask(dataplane, rows(number)) for number in (1.0, POISON, 3.0)]
        answers = await asyncio.gather(*given, return_exceptions=True)
        assert isinstance(answers[1], EngineFailed)
        assert np.array_equal(read_counts(dataplane.monitor), count_directly(reference, 1.0, 3.0))

    serve(Doubling(), scenario, reference=reference)


def test_rejected_values_are_counted_by_their_field(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        assert dataplane.monitor is not None
        for row in ({"x": 1e9, "c": 5}, {"x": None, "c": "a"}, {"x": 1.0, "c": "a", "zz": 1}):
            with pytest.raises(InvalidInput):
                await ask(dataplane, [row])
        with pytest.raises(InvalidInput):
            dataplane.prepare([{"x": "1", "c": "a"}], lambda: None)
        ((_, tally),) = dataplane.monitor.windows.list("days")
        assert (tally.rejected, tally.rows) == ({"x": 3, "c": 1, "": 1}, 0)

    serve(Doubling(), scenario, reference=reference)


def test_under_overload_every_kth_batch_stands_for_k(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        encoded = Encoder(SCHEMA).encode_rows(rows(1.0, 2.0, 999.0))
        for every in (1, 4):
            monitor.every = every
            for _ in range(40):
                monitor.record(encoded, encoded.numbers * 2)
        assert np.array_equal(read_counts(monitor), 80 * count_directly(reference, 1.0, 2.0, 999.0))
        assert read_rows(monitor) == (240, 120 + 30)

    serve(Doubling(), scenario, reference=reference)


def test_counting_that_takes_too_long_is_made_less_and_later_more_again(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.02)

    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        count = monitor.counter.count
        monkeypatch.setattr(monitor.counter, "count", lambda *given: (time.sleep(0.01), count(*given))[1])
        encoded = Encoder(SCHEMA).encode_rows(rows(1.0))
        while monitor.every < 4:
            monitor.record(encoded, encoded.numbers * 2)
            await asyncio.sleep(0.001)
        await wait_for(lambda: monitor.every == 1)

    serve(Doubling(), scenario, reference=reference)


def test_what_waits_to_be_counted_is_bounded_while_the_queue_is_busy(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        dataplane.queue.waiting_rows += 1  # never idle
        encoded = Encoded(np.zeros((4096, 1), np.float32), np.ones((4096, 1), np.int32))
        for _ in range(60):
            monitor.record(encoded, encoded.numbers)
            await asyncio.sleep(0)
            assert monitor.pending_rows <= module.MAX_PENDING_ROWS + 4096
        dataplane.queue.waiting_rows -= 1
        assert read_counts(monitor).sum() == 3 * 60 * 4096

    serve(Doubling(), scenario, reference=reference)


def test_batches_of_a_row_that_wait_are_bounded_too(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        dataplane.queue.waiting_rows += 1  # never idle
        encoded = Encoder(SCHEMA).encode_rows(rows(1.0))
        for _ in range(2 * module.MAX_PENDING_BATCHES):
            monitor.record(encoded, encoded.numbers * 2)
            await asyncio.sleep(0)
            assert monitor.pending_rows <= module.MAX_PENDING_BATCHES + 1
        dataplane.queue.waiting_rows -= 1
        assert np.array_equal(read_counts(monitor), 2 * module.MAX_PENDING_BATCHES * count_directly(reference, 1.0))

    serve(Doubling(), scenario, reference=reference)


def test_a_large_batch_is_counted_in_pieces(reference: Reference) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        monitor = dataplane.monitor
        assert monitor is not None
        numbers = np.arange(10_001.0, dtype=np.float32)[:, None]
        monitor.record(Encoded(numbers, np.ones((10_001, 1), np.int32)), numbers * 2)
        await asyncio.sleep(0)
        assert monitor.pending_rows == 10_001 - module.COUNTED_ROWS
        assert np.array_equal(read_counts(monitor), count_directly(reference, *numbers[:, 0].tolist()))

    serve(Doubling(), scenario, reference=reference)


def test_windows_are_bounded_by_number_and_bytes() -> None:
    windows = Windows(width=100)
    for minute in range(0, 60 * 24 * 60, 5):
        for tally in windows.at(1_700_000_000 + 60 * minute):
            tally.rows += 1
    assert {span: len(windows.list(span)) for span in KEPT} == KEPT
    assert [tally.rows for _, tally in windows.list("days")][1:-1] == [288] * 29
    wide = Windows(width=200_000)
    for day in range(100):
        list(wide.at(86_400.0 * day))
    kept = sum(tally.counts.nbytes for span in KEPT for _, tally in wide.list(span))
    assert kept <= MAX_BYTES
    assert all(len(wide.list(span)) >= MIN_KEPT for span in KEPT)


@pytest.mark.parametrize("jump_s", [-86_400, 20 * 365 * 86_400])
def test_a_clock_that_jumps_loses_no_row(jump_s: int) -> None:
    windows, now = Windows(width=3), 1_700_000_000.0
    for moment in (now, now + jump_s, now + 1):
        for tally in windows.at(moment):
            tally.rows += 1
    assert sum(tally.rows for _, tally in windows.list("days")) == 3
    assert len(windows.list("days")) == 2
