"""Lets another version of a model take the served one's place, if it is fit to; else what is served stays."""

import asyncio
import contextlib
import logging
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.model.package import PackedModel
from ekiben.model.store import VersionMissing, find_model, read_digest
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.servings.factory import ServingFactory
from ekiben.service.servings.load_line import LoadLine
from ekiben.service.servings.loading import drive, load_engine_gently, measure_cost_gently, open_model_gently
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")


class Reloader:
    """Loads one version after the other; belongs to one event loop."""

    def __init__(self, servings: Servings, factory: ServingFactory) -> None:
        self._servings = servings
        self._factory = factory
        self.line = LoadLine()

    async def load(self, name: str, version: str = "", force: bool = False) -> Serving:
        """Let a version of the store answer: the newest, if none is named; return it once it does.

        `force`: though it refuses what callers of the version before may send. Raises BadRequest with the reason for
        which what is served stays.
        """
        async with self.line.take():
            return await self._load(name, version, force)

    async def load_newest(self) -> None:
        """Let the newest version of each model answer; what can't stays, and the log says why."""
        for name in self._servings.list_stored():
            with contextlib.suppress(BadRequest, Overloaded):
                await self.load(name)

    async def _load(self, name: str, version: str, force: bool) -> Serving:
        current = self._servings.find_model(name).current
        self.check_allowed()
        try:
            stored, digest = await asyncio.to_thread(find, name, version)
            if digest == current.model.digest:
                logger.info("%s version %s is served already", name, current.model.version)
                return current
            model = await open_model_gently(stored, digest)
            serving = await self.build(model, current)
        except UserError as error:
            metrics.count_reload("failed")
            logger.warning("%s version %s serves on: %s", name, current.model.version, error)
            raise BadRequest(404 if isinstance(error, VersionMissing) else 400, str(error)) from None
        self._servings.replace(serving)
        metrics.count_reload("served")
        metrics.set_model_info(current.model, 0)
        metrics.set_model_info(model)
        logger.info("%s version %s takes the place of version %s", name, model.version, current.model.version)
        return serving

    @property
    def settings(self) -> Settings:
        """The service's."""
        return self._factory.settings

    async def build(self, model: PackedModel, before: Serving | None = None) -> Serving:
        """Return a version that is ready to answer, perhaps in the place of one `before` it."""
        engine = await load_engine_gently(model)
        cost = await measure_cost_gently(engine, model)
        return await drive(self._factory.build(model, engine, cost, before))

    def check_allowed(self) -> None:
        """Raise BadRequest unless models may change while the service runs."""
        if not self.settings.reloads:
            raise BadRequest(
                409, "the service stays with the model it was started with: start it with RELOAD=1 to load another"
            )


def find(name: str, version: str) -> tuple[Path, str]:
    """Return where the store has a version, and the digest of its manifest."""
    stored = find_model(name, version)
    return Path(stored.path), read_digest(stored)
