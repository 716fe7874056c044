"""A model ends to make room only for one that works, and not while a canary begins on it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.model.package import PackedModel
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest
from ekiben.service.lifecycle.resource_limits import MIB, Limits
from ekiben.service.row_log.logs import Logs
from ekiben.service.servings import on_demand as module
from ekiben.service.servings.load_line import LoadLine
from ekiben.service.servings.on_demand import OnDemand
from ekiben.service.servings.room import Room
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.versions import Origin
from ekiben.service.settings import Settings
from tests.doubling import MANIFEST, SCHEMA, Doubling, start

SETTINGS = Settings(max_models=3, reload=True)
LIMITS = Limits(memory_bytes=2**30)


def make(name: str, version: str = "1") -> Serving:
    model = PackedModel(
        Path("nowhere"), SCHEMA.model_copy(update={"name": name}), MANIFEST.model_copy(update={"version": version})
    )
    return Serving(replace(model, alias=name), start(Doubling()), Logs(), ())


class Building:
    """Stands in for the reloader: what it builds works, once it may, or not."""

    settings = SETTINGS

    def __init__(self) -> None:
        self.line, self.error, self.meanwhile = LoadLine(), "", lambda: None

    def check_allowed(self) -> None:
        pass

    async def build(self, model: PackedModel) -> Serving:
        await asyncio.sleep(0)
        self.meanwhile()
        if self.error:
            raise InvalidModel(self.error)
        return make(model.name)


class Scene:
    """A service of three models at most: the first, and two that came later."""

    def __init__(self) -> None:
        self.building: Any = Building()
        self.budget = ByteBudget(0)
        self.servings = Servings([make("first")])
        self.room = Room(SETTINGS, LIMITS, "litert", self.budget)
        self.forgotten: list[str] = []
        self.on_demand = OnDemand(self.servings, self.building, self.room, lambda _: None, self.forgotten.append)
        for name in ("old", "new"):
            serving = make(name)
            self.servings.add(serving, Origin.STORE)
            self.room.take(serving.model, MIB)

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.servings.models]


def play(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        scene = Scene()
        await scenario(scene)
        await scene.servings.close()

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has every model."""

    async def open_model(path: Path, name: str) -> PackedModel:
        return make_model(name)

    newest = iter("789")
    monkeypatch.setattr(module, "read_latest", lambda name: next(newest))
    monkeypatch.setattr(module, "find", lambda name, version: (Path("nowhere"), name))
    monkeypatch.setattr(module, "open_model_gently", open_model)


def make_model(name: str) -> PackedModel:
    return PackedModel(Path("nowhere"), SCHEMA.model_copy(update={"name": name}), MANIFEST, alias=name)


@contextmanager
def rejected(status: int, words: str) -> Iterator[None]:
    with pytest.raises(BadRequest, match=words) as caught:
        yield
    assert caught.value.status == status


def test_who_answered_longest_ago_ends_for_one_that_works() -> None:
    async def scenario(scene: Scene) -> None:
        free = scene.budget.limit
        during: list[tuple[list[str], int]] = []
        scene.building.meanwhile = lambda: during.append((scene.names, scene.budget.limit))
        await scene.on_demand.load("next")
        assert scene.names == ["first", "new", "next"]
        assert scene.forgotten == ["old"]
        ((names, limit),) = during
        assert names == ["first", "old", "new"]  # there is one more for a moment,
        assert limit < free  # which bodies leave the memory
        assert scene.servings.find_model("next").newest == "7"  # as it was before it was read

    play(scenario)


def test_one_that_does_not_work_ends_no_other() -> None:
    async def scenario(scene: Scene) -> None:
        free, scene.building.error = scene.budget.limit, "up to 0.1 away from what it answered in training"
        with rejected(400, "up to 0.1 away"):
            await scene.on_demand.load("next")
        assert (scene.names, scene.forgotten) == (["first", "old", "new"], [])
        assert scene.budget.limit == free

    play(scenario)


def test_a_model_whose_canary_is_about_to_begin_stays() -> None:
    """Its version is held before the workers agree on the share: nobody is given to it yet."""

    async def scenario(scene: Scene) -> None:
        scene.servings.hold(make("old", "2"))
        with rejected(409, "`old` has a canary: stop it first"):
            await scene.on_demand.unload("old")
        await scene.on_demand.load("next")
        assert scene.names == ["first", "old", "next"]

    play(scenario)


def test_where_the_last_that_could_go_gets_a_canary_meanwhile_the_new_one_ends() -> None:
    async def scenario(scene: Scene) -> None:
        scene.servings.hold(make("old", "2"))
        scene.building.meanwhile = lambda: scene.servings.hold(make("new", "2"))
        with rejected(507, "there is no room for 'next': MAX_MODELS=3 models are served"):
            await scene.on_demand.load("next")
        assert scene.names == ["first", "old", "new"]

    play(scenario)
