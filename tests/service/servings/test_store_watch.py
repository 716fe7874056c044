"""Each new version of a model in the store is loaded once, also one that comes just as the model is being read."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ekiben.service.errors import BadRequest
from ekiben.service.servings import store_watch as module
from ekiben.service.servings.store_watch import watch_store
from tests.waiting import wait_for


class Store:
    """Names the newest versions, to a service of these models."""

    def __init__(self, **newest: str | None) -> None:
        self.newest = newest
        self.served: list[Any] = []
        self.loaded: list[str] = []
        self.noted: list[tuple[str, str]] = []
        self.looks = 0
        self.error: Exception | None = None

    def serve(self, name: str, newest: str | None) -> None:
        self.served.append(SimpleNamespace(name=name, newest=newest))

    def read_latest(self, name: str) -> str | None:
        self.looks += 1
        return self.newest[name]

    async def load(self, name: str) -> None:
        assert (name, self.newest[name]) not in self.noted  # that comes after
        self.loaded.append(name)
        if self.error:
            raise self.error

    def note(self, name: str, newest: str) -> None:
        self.noted.append((name, newest))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Store, Any], None]:
    def run(store: Store, scenario: Any) -> None:
        async def main() -> None:
            watching = asyncio.ensure_future(watch_store(lambda: store.served, store.load, store.note))
            await scenario()
            watching.cancel()

        monkeypatch.setattr(module, "POLL_S", 0.002)
        monkeypatch.setattr(module, "read_latest", store.read_latest)
        asyncio.run(main())

    return run


async def look_again(store: Store) -> None:
    looks = store.looks
    await wait_for(lambda: store.looks >= looks + 2 * len(store.served))


def test_what_changes_is_loaded_once(play: Any) -> None:
    store = Store(fr="1", de="1")
    store.serve("fr", "1")
    store.serve("de", "1")

    async def scenario() -> None:
        await look_again(store)
        assert store.loaded == []
        store.newest["de"] = "2"
        await wait_for(lambda: store.noted == [("de", "2")])
        await look_again(store)
        assert store.loaded == ["de"]

    play(store, scenario)


def test_a_version_that_came_while_a_model_was_read_is_noticed(play: Any) -> None:
    store = Store(fr="1", de="2", it="3")
    store.serve("fr", "1")

    async def scenario() -> None:
        await look_again(store)
        store.serve("de", "1")  # on demand: the next one came before the watch's first look
        store.serve("it", None)  # of this one it is not known
        await wait_for(lambda: store.noted == [("de", "2")])
        await look_again(store)
        assert store.loaded == ["de"]

    play(store, scenario)


def test_what_is_rejected_is_not_tried_again(play: Any) -> None:
    store = Store(fr="2")
    store.serve("fr", "1")
    store.error = BadRequest(409, "callers can't call it")

    async def scenario() -> None:
        await wait_for(lambda: store.noted == [("fr", "2")])
        await look_again(store)
        assert store.loaded == ["fr"]
        store.newest["fr"], store.error = "3", None
        await wait_for(lambda: store.loaded == ["fr", "fr"])

    play(store, scenario)


def test_a_store_that_is_away_is_waited_for(play: Any) -> None:
    store = Store(fr=None)
    store.serve("fr", "1")

    async def scenario() -> None:
        await look_again(store)
        store.newest["fr"] = "1"
        await look_again(store)
        assert store.loaded == []
        store.newest["fr"] = "2"
        await wait_for(lambda: store.loaded == ["fr"])

    play(store, scenario)
