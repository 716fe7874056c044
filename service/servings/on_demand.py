"""Loads models that are not served yet, and ends them: when told to, or when another one needs their room.

The one that goes is the one that nobody has got an answer of for the longest time, once the new one's engine has given
the golden answers: so one more than fit is in memory for a moment. Those that MODEL_NAME names stay.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.contract.validation import show
from ekiben.model.package import PackedModel
from ekiben.model.store import ModelMissing, read_latest
from ekiben.service.errors import BadRequest
from ekiben.service.lifecycle.memory import read_resident_bytes
from ekiben.service.servings.loading import open_model_gently
from ekiben.service.servings.reloading import Reloader, find
from ekiben.service.servings.room import Room
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.versions import Origin, Versions
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
INSUFFICIENT_STORAGE = 507
Open = Callable[[], Awaitable[PackedModel]]


class OnDemand:
    """Adds models to those that are served, and takes them away; belongs to one event loop."""

    def __init__(
        self,
        servings: Servings,
        reloader: Reloader,
        room: Room,
        welcome: Callable[[Versions], None],
        forget: Callable[[str], None],
    ) -> None:
        """`welcome` is called with each model that has been loaded, `forget` with the name of each that ends."""
        self._servings = servings
        self._reloader = reloader
        self._room = room
        self._welcome, self._forget = welcome, forget

    async def load(self, name: str, version: str = "", force: bool = False) -> Serving:
        """Let a version of the store answer, the newest if none is named; return it once it does.

        Raises BadRequest with the reason for which what is served stays as it is.
        """
        if not self._servings.holds(name):
            self.check_allowed()
            async with self._reloader.line.take():
                if not self._servings.holds(name):
                    newest = await asyncio.to_thread(read_latest, name)  # before it is read: the next one is noticed
                    serving = await self._add(name, lambda: self._open_stored(name, version), Origin.STORE)
                    self._servings.find_model(name).newest = newest
                    return serving
        if self._servings.find_model(name).origin is Origin.FOLDER:
            raise BadRequest(409, f"{show(name)} was loaded from a folder: unload it before another one is loaded")
        return await self._reloader.load(name, version, force)

    async def load_folder(self, name: str, folder: Path, digest: str) -> Serving:
        """Let the packed model in a folder answer under a name; raise BadRequest if it can't, or the name is taken."""
        async with self._reloader.line.take():
            if self._servings.holds(name):
                raise BadRequest(409, f"model {show(name)} is loaded already: unload it first")
            return await self._add(name, lambda: self._open_folder(name, folder, digest), Origin.FOLDER)

    async def unload(self, name: str) -> None:
        """End a model after its last answer; raise BadRequest if it is not served, or has to stay."""
        async with self._reloader.line.take():  # it may be just getting another version
            versions = self._servings.find_model(name)
            if versions is self._servings.default:
                raise BadRequest(
                    409, f"`{name}` answers the calls that name no model, so it stays: load another version instead"
                )
            if versions.has_canary:
                raise BadRequest(409, f"`{name}` has a canary: stop it first")
            self._remove(name)
        logger.info("%s is unloaded", name)

    async def _add(self, name: str, open_model: Open, origin: Origin) -> Serving:
        try:
            model = await open_model()
            self._plan_room(name, origin)  # before it takes any
            serving, grown_bytes = await self._build(model)
        except UserError as error:
            metrics.count_reload("failed")
            logger.warning("%s can't be loaded: %s", name, error)
            raise BadRequest(404 if isinstance(error, ModelMissing) else 400, str(error)) from None
        await self._make_room(serving, origin)  # only now: what does not work ends no other
        self._welcome(self._servings.add(serving, origin))
        self._room.take(model, grown_bytes)
        metrics.count_reload("served")
        metrics.set_model_info(model)
        logger.info("%s version %s is loaded", name, model.version)
        return serving

    async def _build(self, model: PackedModel) -> tuple[Serving, int]:
        """Return what answers, and by how much the process has grown; bodies leave it room meanwhile."""
        with self._room.one_more():
            before = read_resident_bytes()
            serving = await self._reloader.build(model)
            return serving, read_resident_bytes() - before

    async def _open_stored(self, name: str, version: str) -> PackedModel:
        model = await open_model_gently(*await asyncio.to_thread(find, name, version))
        if model.name != name:  # the store knows no capitals
            raise ModelMissing(f"there is no model {show(name)} in the BentoML store: `{model.name}` is")
        return model

    async def _open_folder(self, name: str, folder: Path, digest: str) -> PackedModel:
        return replace(await open_model_gently(folder, digest), alias=name)

    def _plan_room(self, name: str, origin: Origin) -> list[Versions]:
        """Return which models end so that another one fits; raise BadRequest if they may not, or there are none."""
        ending: list[Versions] = []
        evictable = [one for one in self._servings.models if one.origin is not Origin.NAMED and not one.has_canary]
        oldest_first = sorted(evictable if origin is Origin.STORE else [], key=lambda one: one.last_used)
        while lack := self._room.find_lack({one.name for one in ending}):
            if len(ending) == len(oldest_first):
                advice = "unload one first, or give the service more with MAX_MODELS, MODELS_MIB or memory"
                raise BadRequest(INSUFFICIENT_STORAGE, f"there is no room for {show(name)}: {lack}; {advice}")
            ending = oldest_first[: len(ending) + 1]
        return ending

    async def _make_room(self, serving: Serving, origin: Origin) -> None:
        """End models until one that is ready fits; end that one and raise BadRequest if they may not go any more."""
        try:
            ending = self._plan_room(serving.model.name, origin)
        except BadRequest:
            await serving.close()
            await serving.logs.close_labels()
            raise
        for oldest in ending:
            idle_s = time.time() - oldest.last_used
            logger.info(
                "%s is unloaded, unused for %.0f s, to make room for %s", oldest.name, idle_s, serving.model.name
            )
            self._remove(oldest.name)

    def _remove(self, name: str) -> None:
        for serving in self._servings.find_model(name):
            metrics.set_model_info(serving.model, 0)
        self._servings.remove(name)
        self._forget(name)
        self._room.give(name)

    def check_allowed(self) -> None:
        """Raise BadRequest unless models of the store may come and go while the service runs."""
        self._reloader.check_allowed()
        check_one_worker(self._reloader.settings.workers)


def check_one_worker(workers: int) -> None:
    """Raise BadRequest if a call would reach only one of several workers."""
    if workers > 1:
        raise BadRequest(
            409, f"of WORKERS={workers} a call reaches only one: loading models needs WORKERS=1; scale with replicas"
        )
