"""Explanations beside predictions: right, bounded, in time or not at all, and no traffic."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidModel
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.explanation.explaining import MAX_PAIRS, ROUND_PAIRS, Explainer
from ekiben.contract.explanation.walks import Walks
from ekiben.model.package import PackedModel
from ekiben.service.dataplane import Dataplane
from ekiben.service.error_status import to_error_response
from ekiben.service.errors import BadRequest, CallerGone, DeadlineExceeded, EngineFailed, NotReady, Overloaded
from ekiben.service.explaining import rounds
from ekiben.service.explaining.queue import Explained
from ekiben.service.explaining.room import SHARE, Room
from ekiben.service.logs.access import Asked
from tests.contract.explained_models import number_schema
from tests.every_kind import SCHEMA
from tests.service.explaining.explained_service import TIMEOUT_S, Engine, serve
from tests.waiting import wait_for

ROW: dict[str, Any] = dict(SCHEMA.example)
PAIR_ROWS = 2 * len(SCHEMA.features) - 1
PAIR_CELLS = PAIR_ROWS * len(SCHEMA.features)
FIRST_ROUND = ROUND_PAIRS * PAIR_ROWS + 1


async def explain(dataplane: Dataplane, rows: list[Any], timeout_s: float = TIMEOUT_S, **more: Any) -> Explained:
    pairs = more.get("pairs", ROUND_PAIRS)
    return await dataplane.explanations.explain(dataplane.explanations.prepare(rows, pairs), timeout_s, "test", **more)


async def never() -> None:
    await asyncio.Future()


def test_they_are_those_that_the_same_pairs_give_offline_and_sum_to_the_prediction(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        rows = [ROW, {**ROW, SCHEMA.names[0]: None}] if SCHEMA.features[0].nullable else [ROW, ROW]
        explained = await explain(dataplane, rows)
        predicted = await dataplane.predict(rows, TIMEOUT_S, "test")
        np.testing.assert_array_equal(explained.answers, predicted.answers)
        background = dataplane.model.background
        assert background is not None
        for index, explanation in enumerate(explained.explanations):
            offline = Explainer(SCHEMA, background).start(Encoder(SCHEMA).encode_rows(rows[index : index + 1]))
            offline.take(engine.network(offline.next_rows()))
            np.testing.assert_array_equal(explanation.attributions, offline.explanation.attributions)
            np.testing.assert_array_equal(explanation.standard_errors, offline.explanation.standard_errors)
            total = explanation.base_value + explanation.attributions.sum()
            assert (explanation.pairs, total) == (ROUND_PAIRS, pytest.approx(explanation.output_value, abs=1e-9))

    serve(tmp_path, scenario)


@pytest.mark.parametrize(("cells", "parts", "on_loop"), [(PAIR_CELLS - 1, 10, False), (3 * PAIR_CELLS, 4, True)])
def test_wide_rows_are_laid_out_in_parts_or_off_the_event_loop(
    cells: int, parts: int, on_loop: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "CELLS_ON_LOOP", cells)
    threads: list[threading.Thread] = []
    lay_out = Walks.lay_out

    def watch(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return lay_out(*given)

    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Walks, "lay_out", watch)
            (explanation,) = (await explain(dataplane, [ROW])).explanations
        assert [thread is threading.main_thread() for thread in threads] == [on_loop] * parts
        offline = dataplane.model.open_explainer().start(Encoder(SCHEMA).encode_rows([ROW]))
        offline.take(engine.network(offline.next_rows()))
        np.testing.assert_allclose(explanation.attributions, offline.explanation.attributions, atol=1e-6)

    serve(tmp_path, scenario)


def test_more_pairs_come_only_to_rows_that_are_not_settled(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        explained = await explain(dataplane, [ROW], pairs=MAX_PAIRS)
        (explanation,) = explained.explanations
        largest = np.abs(explanation.attributions).max()
        assert explanation.pairs == MAX_PAIRS or explanation.standard_errors.max() <= 0.05 * largest
        assert ROUND_PAIRS <= explanation.pairs <= MAX_PAIRS
        assert (await explain(dataplane, [ROW], pairs=15)).explanations[0].pairs == 15

    serve(tmp_path, scenario)


def test_what_there_is_will_do_when_the_time_for_more_is_over(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.slow_from, engine.seconds = FIRST_ROUND, 0.5
        explained = await explain(dataplane, [ROW], 2.0, pairs=MAX_PAIRS)
        assert ROUND_PAIRS <= explained.explanations[0].pairs < MAX_PAIRS

    serve(tmp_path, scenario)


def test_a_first_round_that_is_not_done_in_time_is_no_explanation(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.gate = threading.Event()
        try:
            with pytest.raises(DeadlineExceeded):
                await explain(dataplane, [ROW], 0.05)
        finally:
            engine.gate.set()
        with pytest.raises(DeadlineExceeded):
            await explain(dataplane, [ROW], 0.0)
        counts = dataplane.explanations.counter.take()
        assert (counts.answered, counts.failed, counts.rows) == (0, 2, 0)

    serve(tmp_path, scenario)


def test_they_are_no_traffic(tmp_path: Path) -> None:
    class Recorder:
        def record(self, *_: Any) -> None:
            raise AssertionError("an explanation was recorded")

    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        dataplane.shadow = Recorder()
        before = dataplane.recorder.read()
        await explain(dataplane, [ROW])
        assert replace(dataplane.recorder.read(), last_inference_ms=0) == replace(before, last_inference_ms=0)
        assert dataplane.last_used > 0  # a model that is only explained is in use
        counts = dataplane.explanations.counter.take()
        assert (counts.answered, counts.rows, counts.pairs) == (1, 1, ROUND_PAIRS)
        assert counts.computed_rows == engine.rows == FIRST_ROUND
        assert dataplane.explanations.counter.take().answered == 0

    serve(tmp_path, scenario)


def test_a_flood_of_them_has_room_of_its_own_and_predictions_go_first(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.gate = threading.Event()
        waiting = [asyncio.ensure_future(explain(dataplane, [ROW])) for _ in range(3)]
        await wait_for(lambda: dataplane.explanations.room.waiting_rows == 3 * FIRST_ROUND)
        with pytest.raises(Overloaded, match="try again in"):
            await explain(dataplane, [ROW])
        assert dataplane.queue.waiting_rows == 0
        predicting = asyncio.ensure_future(dataplane.predict([ROW] * 100, TIMEOUT_S, "test"))
        await asyncio.sleep(0)
        engine.gate.set()
        await predicting
        assert not any(one.done() for one in waiting[1:])
        await asyncio.gather(*waiting)

    serve(tmp_path, scenario, max_explanation_rows=3 * FIRST_ROUND)


def test_too_many_rows_are_rejected_before_they_are_encoded(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        sentence = r"3 rows are more than 2 \(the model answers \d+ for each that is explained\): send"
        with pytest.raises(BadRequest, match=sentence) as caught:
            await explain(dataplane, [{}] * 3)
        assert caught.value.status == 413
        await explain(dataplane, [ROW] * 2)

    serve(tmp_path, scenario, max_explanation_rows=2 * SHARE * FIRST_ROUND)


def test_a_caller_that_goes_stops_its_explanation(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.gate = threading.Event()
        leaving = asyncio.Event()

        async def gone() -> None:
            await leaving.wait()

        asking = asyncio.ensure_future(explain(dataplane, [ROW] * 5, gone=gone))
        await wait_for(lambda: engine.rows > 0)
        leaving.set()
        with pytest.raises(CallerGone):
            await asking
        engine.gate.set()
        await explain(dataplane, [ROW], gone=never)  # what is asked next is not held up
        assert engine.rows < 5 * FIRST_ROUND

    serve(tmp_path, scenario)


def test_one_that_is_cancelled_stops_too(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.gate = threading.Event()
        asking = asyncio.ensure_future(explain(dataplane, [ROW]))
        await wait_for(lambda: engine.rows > 0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        engine.gate.set()

    serve(tmp_path, scenario)


def test_a_version_that_ends_rejects_what_it_has_not_explained(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.gate = threading.Event()
        asking = asyncio.ensure_future(explain(dataplane, [ROW]))
        await wait_for(lambda: engine.rows > 0)
        threading.Timer(0.05, engine.gate.set).start()  # `close` waits for the batch that runs
        dataplane.explanations.close()
        for late in (asking, asyncio.ensure_future(explain(dataplane, [ROW]))):
            with pytest.raises(NotReady):
                await late

    serve(tmp_path, scenario)


def test_an_engine_that_fails_fails_the_explanation(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        engine.network = lambda encoded: np.empty((0, 1), np.float32)
        with pytest.raises(EngineFailed):
            await explain(dataplane, [ROW])

    serve(tmp_path, scenario)


def test_what_there_is_will_do_when_the_engine_fails_later(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        network = engine.network
        engine.network = lambda encoded: network(encoded) if engine.rows <= FIRST_ROUND else np.empty((0, 1), "f4")
        (explanation,) = (await explain(dataplane, [ROW], pairs=MAX_PAIRS)).explanations
        assert (explanation.pairs, engine.rows > FIRST_ROUND) == (ROUND_PAIRS, True)

    serve(tmp_path, scenario)


@pytest.mark.parametrize("features", [1, 2])
def test_few_features_are_explained_too(features: int, tmp_path: Path) -> None:
    schema = number_schema(features)

    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        (explanation,) = (await explain(dataplane, [dict.fromkeys(schema.names, 1.5)])).explanations
        total = explanation.base_value + explanation.attributions.sum()
        assert (len(explanation.attributions), total) == (features, pytest.approx(explanation.output_value))

    serve(tmp_path, scenario, schema)


def test_a_model_that_was_packed_without_a_background_says_so(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        with pytest.raises(BadRequest, match=r"version 3 of \w+ was packed without .* train it again") as caught:
            await explain(dataplane, [ROW])
        assert caught.value.status == 501

    serve(tmp_path, scenario, background=False)


def test_a_background_that_was_damaged_since_is_named(tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        path = tmp_path / BACKGROUND_FILE
        content = path.read_bytes()
        path.write_bytes(content[:100])
        with pytest.raises(InvalidModel, match="is missing or damaged: pack it again") as caught:
            await explain(dataplane, [ROW])
        response = to_error_response(caught.value, lambda: Asked("", "HTTP", b"/", b"", b""))
        assert (response.status, response.message) == (503, str(caught.value))
        path.write_bytes(content)
        await explain(dataplane, [ROW])

    serve(tmp_path, scenario)


def test_the_background_is_read_once_and_off_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    open_explainer = PackedModel.open_explainer

    def watch(model: PackedModel) -> Explainer:
        threads.append(threading.current_thread())
        return open_explainer(model)

    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        monkeypatch.setattr(PackedModel, "open_explainer", watch)
        await asyncio.gather(*[explain(dataplane, [ROW] * 2) for _ in range(3)])
        (thread,) = threads
        assert thread is not threading.main_thread()

    serve(tmp_path, scenario)


@pytest.mark.parametrize(
    ("waiting", "left_s", "error"),
    [
        (0, 0.2, None),
        (0, 0.05, DeadlineExceeded),
        (50, 0.1, Overloaded),
        (950, 5.0, Overloaded),
        (950, 0.05, DeadlineExceeded),
    ],
)
def test_there_is_room_for_what_can_be_done_in_time(waiting: int, left_s: float, error: type[Exception] | None) -> None:
    room = Room(9, 1000, lambda rows: 0.001 * rows)  # of ROUND_PAIRS a row takes 91
    room.waiting_rows = waiting
    take: Callable[[], int] = lambda: room.take(1, ROUND_PAIRS, left_s)  # noqa: E731
    if error is None:
        room.give(take())
    else:
        with pytest.raises(error):
            take()
    assert room.waiting_rows == waiting
