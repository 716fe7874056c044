"""Whatever the challenger does, what it answers is compared exactly, and the champion's answers go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from ekiben.contract.answers import Answers
from ekiben.contract.comparison.evidence import weigh
from ekiben.contract.comparison.losses import compare_losses
from ekiben.contract.comparison.parts import Timing
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import InvalidModel
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import PackedModel
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols.protocol import Call
from ekiben.service.shadow import shadow as module
from ekiben.service.shadow.shadow import Shadow
from ekiben.service.shadow.timed_engine import TimedEngine
from tests.doubling import MANIFEST, POISON, SCHEMA, Doubling, rows, start
from tests.waiting import wait_for

CHAMPION = PackedModel(None, SCHEMA, MANIFEST)  # type: ignore[arg-type]


class Tripling(Doubling):
    """A challenger, which fails on poison too."""

    def run(self, encoded: Encoded) -> np.ndarray:
        return super().run(encoded) * np.float32(1.5)


class Immediately:
    """A queue that computes in the next turn of the event loop."""

    def __init__(self, engine: TimedEngine) -> None:
        self._engine = engine
        self.full = False

    def submit(self, encoded: Encoded, deliver: Callable[[Answers], None]) -> bool:
        if not self.full:
            asyncio.get_running_loop().call_soon(deliver, self._engine.run(encoded))
        return not self.full


class Scene:
    """A champion and its challenger in this process."""

    def __init__(self, challenger: Schema = SCHEMA) -> None:
        self.dataplane = start(Doubling(), max_waiting_rows=20_000)
        self.engine = TimedEngine(Tripling(), 1)
        self.queue = Immediately(self.engine)
        model = PackedModel(None, challenger, MANIFEST)  # type: ignore[arg-type]
        self.shadow = Shadow(CHAMPION, model, self.queue, lambda: (Timing(), self.engine.timing))
        self.dataplane.shadow = self.shadow

    async def ask(self, *numbers: float, own_id: str = "") -> None:
        asked: list[Any] = rows(*numbers)
        prediction = await self.dataplane.predict(asked, 10.0, "test", caller=Call(60.0, own_id=own_id.encode()))
        assert np.array_equal(prediction.answers[:, 0], np.array(numbers, np.float32) * 2)

    async def score(self, rows_left: int = 0) -> None:
        """Wait until the challenger has answered."""
        part = self.shadow.describe
        await wait_for(lambda: part().answered == part().compared + sum(part().dropped.values()) + rows_left)


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)


def play(scenario: Callable[[Scene], Awaitable[None]], challenger: Schema = SCHEMA) -> None:
    async def main() -> None:
        scene = Scene(challenger)
        try:
            async with asyncio.timeout(60):
                await scenario(scene)
        finally:
            scene.shadow.close()
            scene.dataplane.close()

    asyncio.run(main())


def test_every_answered_row_is_compared_once() -> None:
    sizes = [1, 1, 7, 500, 3, 9000]
    numbers = np.random.default_rng(1).uniform(0, 0.3, sum(sizes)).astype(np.float32)

    async def scenario(scene: Scene) -> None:
        requests = np.split(numbers, np.cumsum(sizes)[:-1])
        await asyncio.gather(*(scene.ask(*request.tolist()) for request in requests))
        await scene.score()
        part = scene.shadow.describe()
        assert part.compared == sum(sizes)
        edges = scene.shadow.counter.edges
        assert part.differences == tuple(np.bincount(np.searchsorted(edges, numbers), minlength=13).tolist())
        assert part.disagreed == np.count_nonzero((numbers * 2 >= 0.5) != (numbers * 2 * np.float32(1.5) >= 0.5))
        assert part.slices["c"].rows[0] == sum(sizes)
        assert part.challenger.rows == sum(sizes)

    play(scenario)


def test_labels_find_their_pairs_before_and_after_these_are_there() -> None:
    numbers = np.linspace(0.01, 0.3, 40).astype(np.float32)
    labels = (np.arange(40) % 3 == 0).astype(float)

    async def scenario(scene: Scene) -> None:
        names = [f"one-{index}".encode() for index in range(30)] + [f"many/{index}".encode() for index in range(10)]
        early = scene.shadow.take_labels(names[20:35], labels[20:35].tolist())
        assert early.unplaced == list(range(15))
        for index in range(30):
            await scene.ask(float(numbers[index]), own_id=f"one-{index}")
        await scene.ask(*numbers[30:].tolist(), own_id="many")
        await scene.score()
        late = scene.shadow.take_labels([*names, b"stranger"], [*labels, 1.0])
        assert (late.unplaced, late.repeated) == ([40], 15)
        part = scene.shadow.describe()
        champion = numbers[:, None] * 2
        wanted = weigh(compare_losses(SCHEMA.target, champion, champion * np.float32(1.5), labels))
        assert part.labels.evidence == wanted
        assert part.labels.repeated == 15

    play(scenario)


def test_rows_the_challenger_fails_on_are_counted_and_answers_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        scene.engine.engine.short = True  # type: ignore[attr-defined]
        await scene.ask(0.1, 0.2)
        await scene.score()
        scene.engine.engine.short = False  # type: ignore[attr-defined]
        await scene.ask(0.1, 0.2, 0.3)
        await scene.score()
        part = scene.shadow.describe()
        assert (part.compared, part.dropped) == (3, {"failed": 2})

    play(scenario)
    assert caplog.messages == ["the challenger fails on rows: they are not compared"]


def test_rows_the_champion_fails_on_are_not_the_challengers() -> None:
    async def scenario(scene: Scene) -> None:
        results = await asyncio.gather(scene.ask(0.1), scene.ask(POISON), return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["NoneType", "EngineFailed"]
        await scene.score()
        assert scene.shadow.describe().answered == 1

    play(scenario)


def test_what_finds_no_room_is_counted() -> None:
    async def scenario(scene: Scene) -> None:
        scene.queue.full = True
        await scene.ask(0.1, 0.2)
        await scene.score()
        scene.queue.full = False
        await scene.ask(0.1)
        await scene.score()
        part = scene.shadow.describe()
        assert (part.compared, part.dropped) == (1, {"waiting": 2})

    play(scenario)


def test_rows_are_transcoded_and_what_cannot_be_is_counted() -> None:
    narrow = Number(name="x", low=-1e6, high=0.2, example=0.1)
    wider = Category(name="c", vocabulary=("0", "a"), example="a")
    challenger = Schema(name=SCHEMA.name, features=(wider, narrow), target=SCHEMA.target)

    async def scenario(scene: Scene) -> None:
        await scene.ask(0.1, 0.3, own_id="two")
        strange = [{"x": 0.1, "c": "0"}, {"x": 0.125, "c": "b"}]
        await scene.dataplane.predict(strange, 10.0, "test")
        await scene.score()
        part = scene.shadow.describe()
        assert (part.compared, part.dropped) == (2, {"rejected": 1, "unknown": 1})
        assert part.slices["c"].rows[:2] == (1, 1)
        assert scene.shadow.take_labels([b"two/0", b"two/1"], [1.0, 1.0]).unplaced == []
        assert sum(scene.shadow.describe().labels.rows) == 1

    play(scenario, challenger)


def test_a_challenger_of_another_target_is_one_sentence() -> None:
    other = SCHEMA.model_copy(update={"target": Target(name="y", classes=("no", "yes"))})
    with pytest.raises(InvalidModel, match="a challenger has the champion's problem and classes"):
        play(lambda scene: asyncio.sleep(0), other)


def test_whatever_goes_wrong_is_not_the_callers(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        scene.shadow.transcoder = None  # type: ignore[assignment]
        await scene.ask(0.1)
        await wait_for(lambda: bool(caplog.messages))
        await scene.ask(0.2)

    play(scenario)
    assert caplog.messages == ["rows can't be compared; the champion serves on"]


def test_while_the_champion_is_busy_the_challenger_computes_nothing() -> None:
    async def main() -> None:
        turns = EngineTurns()
        dataplane: Dataplane = start(Doubling(), turns=turns)
        engine = TimedEngine(Tripling(), 1)
        queue = BackgroundQueue(engine, turns, max_rows=10_000)
        dataplane.shadow = shadow = Shadow(CHAMPION, CHAMPION, queue, lambda: (Timing(), engine.timing))
        dataplane.queue.waiting_rows += 1  # never idle
        for _ in range(3):
            await dataplane.predict(rows(*np.linspace(0, 0.3, 1000)), 10.0, "test")
            await asyncio.sleep(0.03)
        assert (shadow.describe().compared, engine.timing.rows) == (0, 0)
        dataplane.queue.waiting_rows -= 1
        await wait_for(lambda: shadow.describe().compared == 3000)
        shadow.close()
        queue.close()
        dataplane.close()

    asyncio.run(main())
