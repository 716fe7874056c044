"""Lets another version of a model take the served one's place, if it is fit to; else what is served stays."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ekiben.contract.compatibility import read_spans
from ekiben.contract.errors import UserError
from ekiben.contract.schema_change import compare_schemas
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
MAX_DIFFERENCES = 5  # that are named


class CallersRefused(UserError):
    """A version would reject what callers of the served one send."""


class Reloader:
    """Loads one version after the other; belongs to one event loop."""

    def __init__(
        self,
        servings: Servings,
        factory: ServingFactory,
        note_served: Callable[[str, str], None] = lambda name, version: None,
    ) -> None:
        """`note_served` is called with the name and the version of each that takes another's place."""
        self._servings = servings
        self._note_served = note_served
        self._factory = factory
        self.line = LoadLine()

    async def load(self, name: str, version: str = "", force: bool = False) -> Serving:
        """Let a version of the store answer: the newest, if none is named; return it once it does.

        `force`: though it refuses what callers of the version before may send. Raises BadRequest with the reason for
        which what is served stays.
        """
        async with self.line.take():
            self.check_allowed()
            return self._serve(name, await self._prepare(name, partial(find, name, version), force))

    async def load_folder(self, name: str, folder: Path, digest: str) -> Serving:
        """Let the version in a folder answer, whose manifest has that digest; raises as `load` does."""
        async with self.line.take():
            return self._serve(name, await self._prepare(name, lambda: (folder, digest), force=False))

    async def hold(self, name: str, version: str, force: bool = False) -> None:
        """Have a version of the store ready beside the one that answers; raises as `load` does."""
        async with self.line.take():
            self.check_allowed()
            serving = await self._prepare(name, partial(find, name, version), force)
            if serving is not None:
                self._servings.hold(serving)

    async def renew_challenger(self, name: str) -> None:
        """Let the challenger that the store has now answer in the shadow; what the version has counted goes on."""
        async with self.line.take():
            versions = self._servings.find_model(name)
            before = versions.current
            versions.current = await drive(self._factory.renew(before))
            if before.challenger:
                before.challenger.close()

    async def load_newest(self) -> None:
        """Let the newest version of each model answer; what can't stays, and the log says why."""
        for versions in self._servings.list_stored():
            with contextlib.suppress(BadRequest, Overloaded):
                await self.load(versions.name)

    def _serve(self, name: str, serving: Serving | None) -> Serving:
        if serving is None:
            return self._servings.find_model(name).current
        self.replace(serving)
        return serving

    def replace(self, serving: Serving) -> None:
        """Let a version that is ready answer whoever names none."""
        name, model = serving.model.name, serving.model
        before = self._servings.find_model(name).current.model
        self._servings.replace(serving)
        self._note_served(name, model.version)
        metrics.count_reload("served")
        metrics.set_model_info(before, 0)
        metrics.set_model_info(model)
        logger.info("%s version %s takes the place of version %s", name, model.version, before.version)

    async def _prepare(self, name: str, locate: Callable[[], tuple[Path, str]], force: bool) -> Serving | None:
        """Return a version that is ready to answer, None if it answers already; `locate` may take its time."""
        current = self._servings.find_model(name).current
        try:
            folder, digest = await asyncio.to_thread(locate)
            if digest == current.model.digest:
                logger.info("%s version %s is served already", name, current.model.version)
                return None
            model = await open_model_gently(folder, digest)
            check_callers(current.model, model, force, self.settings.unknown_fields == "ignore")
            return await self.build(model, current)
        except UserError as error:
            metrics.count_reload("failed")
            logger.warning("%s version %s serves on: %s", name, current.model.version, error)
            raise BadRequest(STATUSES.get(type(error), 400), str(error)) from None

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


def check_callers(served: PackedModel, model: PackedModel, force: bool, ignore: bool = False) -> None:
    """Raise CallersRefused if a version would reject, or misread, what callers of the served one send.

    `ignore`: it ignores unknown fields. Who goes back to an older version wants just that, and at once: then the
    differences are only said. Another model never takes this one's place.
    """
    if model.name != served.name:
        raise CallersRefused(f"version {model.version} is a model of `{model.name}`, not of `{served.name}`")
    seen = [read_spans(one.reference) if one.reference else None for one in (served, model)]
    change = compare_schemas(served.schema, model.schema, *seen)
    differences = [str(one) for one in change.by_old_callers if not (ignore and one.ignorable)]
    if not differences:
        return
    sentence = f"version {model.version} does not take what callers of version {served.version} send: "
    sentence += "; ".join(differences[:MAX_DIFFERENCES])
    if len(differences) > MAX_DIFFERENCES:
        sentence += f"; and {len(differences) - MAX_DIFFERENCES} more"
    if force or int(model.version) < int(served.version):
        logger.warning("%s", sentence)
    else:
        order = f"{change.verdict}: {', '.join(change.steps)}"
        raise CallersRefused(f"{sentence}. {order}. To serve it all the same, load it with `force`")


def find(name: str, version: str) -> tuple[Path, str]:
    """Return where the store has a version, and the digest of its manifest."""
    stored = find_model(name, version)
    return Path(stored.path), read_digest(stored)


STATUSES: dict[type[UserError], int] = {VersionMissing: 404, CallersRefused: 409}
