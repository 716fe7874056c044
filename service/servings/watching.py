"""What starts the loading of another version, besides a call: the store, the registry, a signal."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any

from ekiben.model.package import CHALLENGER, PackedModel
from ekiben.service.lifecycle.drain import ignore_hangup, reload_on_hangup
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.servings.reloading import Reloader
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.store_watch import watch_store
from ekiben.service.settings import InvalidSettings, Settings
from ekiben.service.shadow.challenger_watch import Shown, watch_challengers
from ekiben.service.sources.access import read_access
from ekiben.service.sources.address import parse_source
from ekiben.service.sources.cache import find_folder
from ekiben.service.sources.hints import Hints
from ekiben.service.sources.watch import watch_registry
from ekiben.service.sources.webhook import PROTOCOL, build_webhook


class VersionWatch:
    """Watches for a worker; belongs to one event loop. The store's newest version counts unless a registry is named."""

    def __init__(
        self, settings: Settings, servings: Servings, reloader: Reloader, note_newest: Callable[[str, str], None]
    ) -> None:
        """`note_newest` is called with a model's name and the store's newest version of it, once it is dealt with."""
        self._note_newest = note_newest
        self._settings, self._servings, self._reloader = settings, servings, reloader
        self._tasks: list[asyncio.Task[None]] = []
        self.webhook = Protocol(PROTOCOL)  # of the registry
        if settings.model_source:
            self._source = parse_source(settings.model_source)
            self._hints = Hints(find_folder(self._source))
            self.webhook = build_webhook(self._hints, settings)

    def begin(self) -> None:
        """Watch from now on."""
        if self._settings.model_source:
            load = partial(self._reloader.load_folder, self._source.name)
            digest = self._servings.find_model(self._source.name).current.model.digest
            self._start(watch_registry(self._settings, load, digest, self._hints))
            reload_on_hangup(self._look)
        elif self._settings.reloads:
            self._start(watch_store(self._servings.list_stored, self._reloader.load, self._note_newest))
            if self._settings.challenger == CHALLENGER:
                self._start(watch_challengers(self._list_shown, self._reloader.renew_challenger))
            reload_on_hangup(self._reloader.load_newest)
        else:
            ignore_hangup(asyncio.get_running_loop().call_soon_threadsafe)

    def end(self) -> None:
        """Watch no more."""
        for task in self._tasks:
            task.cancel()

    def _start(self, watch: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(watch))

    def _list_shown(self) -> Iterator[Shown]:
        """Yield each model, but those of which a canary shows the challenger to callers."""
        for versions in self._servings.list_stored():
            current = versions.current
            if versions.run is None:
                compared = current.challenger.digest if current.challenger else ""
                yield versions.name, frozenset({current.model.digest, compared})

    async def _look(self) -> None:
        self._hints.give()


def check_source(settings: Settings, models: Iterable[PackedModel]) -> None:
    """Raise InvalidSettings unless MODEL_SOURCE, if it is set, names a model that is served, and a server to ask."""
    if not settings.model_source:
        return
    source, names = parse_source(settings.model_source), [model.name for model in models]
    if source.name not in names:
        raise InvalidSettings(
            f"MODEL_SOURCE={settings.model_source} is of another model than the one that is served: name {names[0]}"
        )
    if settings.model_digest:
        raise InvalidSettings("MODEL_DIGEST names one version, MODEL_SOURCE any that its alias will name: set one")
    read_access(os.environ)
