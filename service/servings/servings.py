"""The versions that answer, by the names of their models; one takes another's place between two turns of the loop."""

import asyncio
from collections.abc import Iterable, Iterator

from ekiben.contract.validation import show
from ekiben.model.package import CHAMPION
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.protocols.protocol import Call, Named
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.versions import Origin, Versions
from ekiben.service.telemetry import metrics

MAX_LISTED = 10  # models, in a sentence


class Servings:
    """All that a worker serves; belongs to one event loop."""

    def __init__(self, servings: Iterable[Serving]) -> None:
        """Serve these, each of another model; the first answers whoever names none."""
        self._models = {serving.model.name: Versions(serving) for serving in servings}
        self.default = next(iter(self._models.values()))
        self._closing: set[asyncio.Task[None]] = set()
        self.ready = True  # false once the service is asked to stop

    def __iter__(self) -> Iterator[Serving]:
        for versions in self._models.values():
            yield from versions

    @property
    def models(self) -> Iterable[Versions]:
        """The versions by model, in the order they are listed in."""
        return self._models.values()

    def holds(self, name: str) -> bool:
        """Return whether a model is served."""
        return name in self._models

    def list_stored(self) -> list[Versions]:
        """Return the models that are in the BentoML store under their names."""
        return [versions for versions in self.models if versions.origin is not Origin.FOLDER]

    def find_model(self, name: str) -> Versions:
        """Return the versions of a model; raise BadRequest if it is not served."""
        versions = self._models.get(name)
        if versions is None:
            listed = [f"`{one}`" for one in list(self._models)[:MAX_LISTED]]
            more = [f"{len(self._models) - MAX_LISTED} more"] if len(self._models) > MAX_LISTED else []
            served = ", ".join([*listed, *more])
            are = "is" if len(self._models) == 1 else "are"
            raise BadRequest(404, f"model {show(name)} is not served here: {served} {are}")
        return versions

    def pick(self, named: Named | None, caller: Request | Call | None) -> Serving:
        """Return what answers a caller; raise BadRequest if it names what is not served."""
        if named is None:
            return self.default.pick(caller)
        model, version, label = named
        versions = self.find_model(model)
        if label and label != CHAMPION:
            raise BadRequest(404, f"label {show(label)} is not known here: {CHAMPION} is the only one")
        return versions.find(version) if version else versions.pick(caller)

    def replace(self, serving: Serving) -> None:
        """Let a version answer whoever names none; the one before ends after its last answer."""
        versions = self._models[serving.model.name]
        before, versions.current = versions.current, serving
        held = versions.held.pop(serving.model.version, None)
        serving.dataplane.ready = self.ready
        self._retire(before)
        if held is not None and held is not serving:
            self._retire(held)
        versions.replaced(serving.model.version)

    def add(self, serving: Serving, origin: Origin) -> Versions:
        """Serve one more model."""
        serving.dataplane.ready = self.ready
        versions = self._models[serving.model.name] = Versions(serving, origin)
        return versions

    def remove(self, name: str) -> None:
        """End a model, each version after its last answer."""
        versions = self._models.pop(name)
        for serving in versions:
            self._retire(serving, labels=serving is versions.current)

    def hold(self, serving: Serving) -> None:
        """Let a version answer those who name it, beside the one that answers the others."""
        held = self._models[serving.model.name].held
        before = held.get(serving.model.version)
        serving.dataplane.ready = self.ready
        held[serving.model.version] = serving
        metrics.set_model_info(serving.model)
        if before is not None:
            self._retire(before)

    def release(self, name: str, version: str) -> None:
        """End a version that is held, after its last answer."""
        held = self.find_model(name).held.pop(version)
        metrics.set_model_info(held.model, 0)
        self._retire(held)

    def stop_being_ready(self) -> None:
        """Report not ready to probes; requests are still answered."""
        self.ready = False
        for serving in self:
            serving.dataplane.stop_being_ready()

    @property
    def under_way(self) -> int:
        """How many requests wait for their answers."""
        return sum([serving.calls.under_way for serving in self])

    @property
    def waiting_rows(self) -> int:
        """The rows that wait for an engine."""
        return sum([serving.dataplane.queue.waiting_rows for serving in self])

    def count(self) -> None:
        """Hand on what the models have answered."""
        for versions in self.models:
            for serving in versions:
                dataplane = serving.dataplane
                dataplane.explanations.count()
                waiting_rows = dataplane.queue.waiting_rows
                metrics.count_model(versions.name, serving.model.version, dataplane.recorder.take(), waiting_rows)
            metrics.set_model_waiting(versions.name, sum([one.dataplane.queue.waiting_rows for one in versions]))
            explaining = sum([one.dataplane.explanations.room.waiting_rows for one in versions])
            metrics.set_explanations_waiting(versions.name, explaining)

    async def close(self) -> None:
        """Stop all engines."""
        for serving in list(self):
            await serving.close()
        for versions in list(self.models):
            await versions.current.logs.close_labels()
        if self._closing:
            await asyncio.wait(self._closing)

    def _retire(self, serving: Serving, labels: bool = False) -> None:
        """Close a version once it has answered, with the log of labels unless other versions have the same."""

        async def end() -> None:
            await serving.close()
            if labels:
                await serving.logs.close_labels()
            trim_soon()

        def close() -> None:
            task = asyncio.ensure_future(end())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

        serving.calls.after_last(close)
