"""Lets canaries hold, serve and release versions of the models that are served."""

from functools import partial
from pathlib import Path

from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Target
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.memory import AnswerMemory
from ekiben.service.canary.pooling import Pooling
from ekiben.service.canary.run import Run
from ekiben.service.lifecycle.agreement import Agreement
from ekiben.service.prediction_ids import PredictionIds
from ekiben.service.row_log.feedback import OFF
from ekiben.service.row_log.labels import Labels
from ekiben.service.servings.reloading import Reloader
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.versions import Versions

CANARY = "canary"


class VersionStage:
    """One model's versions, as `ekiben.service.canary.stage.Stage` has them."""

    def __init__(self, model: str, servings: Servings, reloader: Reloader) -> None:
        self.model = model
        self.versions = servings.find_model(model)
        self._servings, self._reloader = servings, reloader

    @property
    def version(self) -> str:
        return self.versions.current.model.version

    @property
    def target(self) -> Target:
        return self.versions.current.model.schema.target

    @property
    def reference(self) -> Reference | None:
        return self.versions.current.model.reference

    @property
    def why_no_labels(self) -> str:
        return "" if self.versions.current.labels else OFF

    async def hold(self, version: str, force: bool) -> None:
        if version not in self.versions.held:
            await self._reloader.hold(self.model, version, force)

    async def serve(self, version: str, force: bool) -> None:
        held = self.versions.held.get(version)
        if held is None:
            await self._reloader.load(self.model, version, force)
        else:
            self._reloader.replace(held)

    def release(self, version: str) -> None:
        if version in self.versions.held:
            self._servings.release(self.model, version)

    def divide(self, run: Run | None) -> None:
        self.versions.run = run
        for serving in self.versions:  # labels may be sent to either version
            if serving.labels is not None:
                serving.labels.watchers.pop(CANARY, None)
                if run is not None:
                    serving.labels.watchers[CANARY] = partial(_add_labels, run.memory)


def conduct_canary(
    servings: Servings, reloader: Reloader, header: str, ids: PredictionIds, folder: Path | None, versions: Versions
) -> Conductor:
    """Return what conducts a model's canary; `folder`: that the workers share, if there are several."""
    stage = VersionStage(versions.name, servings, reloader)
    agreement, pooling = Agreement(f"{CANARY}_{versions.name}", folder), Pooling(versions.name, folder)
    conductor = Conductor(stage, agreement, pooling, header, lambda: ids.next())
    versions.replaced = conductor.note_served
    return conductor


def _add_labels(memory: AnswerMemory, labels: Labels) -> None:
    memory.add_labels(zip(labels.ids, labels.values, strict=True))
