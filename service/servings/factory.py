"""Makes what answers out of a packed model and its engine."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ekiben.model.engine import Engine
from ekiben.model.package import PackedModel
from ekiben.model.steps import Step, Steps
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.dataplane import Dataplane
from ekiben.service.monitoring.alarms import DailyAlarms
from ekiben.service.monitoring.overview import Overview
from ekiben.service.monitoring.protocol import build_monitoring, build_silence, explain_silence
from ekiben.service.monitoring.series import prepare_series
from ekiben.service.pages.page import build_page
from ekiben.service.pages.swagger_ui import page
from ekiben.service.playground.protocol import build_playground
from ekiben.service.prediction_ids import PredictionIds
from ekiben.service.protocols import PROTOCOLS
from ekiben.service.protocols.openapi.describing import Surroundings
from ekiben.service.protocols.openapi.document import serve_document
from ekiben.service.row_log.feedback import build_feedback
from ekiben.service.row_log.logs import Logs, open_logs
from ekiben.service.row_log.watched_labels import WatchedLabels
from ekiben.service.servings.serving import Serving, Watching
from ekiben.service.settings import Settings
from ekiben.service.shadow.opening import Challenger, open_challenger

logger = logging.getLogger("bentoml.service")


@dataclass
class ServingFactory:
    """What the versions of a worker share; belongs to one event loop."""

    settings: Settings
    budget: ByteBudget  # of bodies under way
    ids: PredictionIds
    turns: EngineTurns
    surroundings: Surroundings  # of each version's routes, in the OpenAPI document
    first: str  # the name of the model that answers calls which name none
    folder: Path | None  # where workers publish what they saw, if there are several

    def build(
        self, model: PackedModel, engine: Engine, cost: CostModel | None = None, before: Serving | None = None
    ) -> Steps[Serving]:
        """Return a version that is ready to answer, and keeps labels where the one `before` it does, in short steps."""
        yield Step.BRIEF
        settings = self.settings
        reference = model.reference if settings.monitoring else None
        yield Step.BRIEF
        with ExitStack() as undone:  # what has begun ends, if the rest can't be made
            dataplane = Dataplane(
                model, engine, settings.max_waiting_rows, settings.max_request_rows, settings.max_wait_s, self.budget,
                reference, self.ids, self.turns, cost, settings.max_explanation_rows,
                settings.unknown_fields == "ignore",
            )  # fmt: skip
            undone.callback(dataplane.close)
            inside = "" if model.name == self.first else model.name
            logs = open_logs(settings, model, before.logs if before else None, inside)
            undone.callback(logs.abandon, before.logs if before else None)
            dataplane.log_rows(logs.rows)
            yield Step.BRIEF
            watching = self._watch_rows(model, dataplane)
            if watching.overview:
                undone.callback(watching.overview.close)
            challenger = yield from open_challenger(settings.challenger, dataplane, self.turns, self.folder)
            undone.callback(challenger.close)
            serving = yield from self._assemble(model, dataplane, logs, watching, challenger)
            undone.pop_all()
        return serving

    def renew(self, serving: Serving) -> Steps[Serving]:
        """Return the same version, and all that it has counted, with the challenger that there is now."""
        challenger = yield from open_challenger(self.settings.challenger, serving.dataplane, self.turns, self.folder)
        with ExitStack() as undone:
            undone.callback(challenger.close)
            parts = serving.model, serving.dataplane, serving.logs, serving.watching
            renewed = yield from self._assemble(*parts, challenger)
            undone.pop_all()
        return replace(renewed, calls=serving.calls)

    def _assemble(
        self, model: PackedModel, dataplane: Dataplane, logs: Logs, watching: Watching, challenger: Challenger
    ) -> Steps[Serving]:
        """Return a version with its handlers in every protocol."""
        yield Step.BRIEF
        keep = challenger.join_labels(logs.labels.keep if logs.labels else None)
        labels = WatchedLabels(keep) if keep else None
        feedback = build_feedback(labels.keep if labels else None, dataplane, self.settings)
        opinion = challenger.opinion
        playground = build_playground(dataplane, opinion, self.settings)
        protocols = [playground, feedback, challenger.protocol, watching.protocol]
        for build in reversed(PROTOCOLS):
            yield Step.BRIEF
            protocols.insert(0, build(dataplane, self.settings))
        yield Step.BRIEF
        version = opinion.model.version if opinion else ""
        protocols.append(build_page(model, version, self.settings, self.first, self.surroundings.others))
        protocols.append(page())
        handlers = (serve_document(protocols, model, self.surroundings), *protocols)
        return Serving(model, dataplane, logs, handlers, watching, challenger, labels)

    def _watch_rows(self, model: PackedModel, dataplane: Dataplane) -> Watching:
        """Return what shows what is answered: nothing but the reason if it is not counted."""
        monitor, reference = dataplane.monitor, model.reference
        if monitor is None or reference is None:
            silence = explain_silence(self.settings.monitoring, model)
            logger.info(silence)
            return Watching(build_silence(silence))
        overview = Overview(model, monitor)
        alarms = DailyAlarms(overview, reference, self.settings.false_alarms)
        if self.folder:
            overview.share(self.folder)
        prepare = prepare_series(overview, reference, alarms)
        return Watching(build_monitoring(overview, reference, alarms), overview, prepare)
