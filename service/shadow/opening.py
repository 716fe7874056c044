"""Opens the challenger that the settings ask for; whatever is wrong with it, the champion serves."""

import logging
from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.comparison.parts import Timing
from ekiben.contract.errors import InvalidModel, UserError
from ekiben.model.package import PackedModel, open_model_in_steps
from ekiben.model.steps import Step, Steps
from ekiben.model.store import find_challenger, read_digest
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import MAX_IDLE_ROWS, Dataplane
from ekiben.service.playground.opinion import Opinion
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.row_log.labels import Keep
from ekiben.service.shadow.labels import ShadowLabels
from ekiben.service.shadow.overview import Overview
from ekiben.service.shadow.protocol import build_absence, build_challenger
from ekiben.service.shadow.shadow import MAX_ROWS, Shadow
from ekiben.service.shadow.timed_engine import TimedEngine
from ekiben.service.shadow.waiting_rows import CHUNK_ROWS

logger = logging.getLogger("bentoml.service")


@dataclass(frozen=True)
class Challenger:
    """What a worker has of its challenger: nothing but the reason, where there is none."""

    protocol: Protocol
    overview: Overview | None = None
    queue: BackgroundQueue | None = None
    opinion: Opinion | None = None  # for people who try the model

    @property
    def digest(self) -> str:
        """Of its manifest; "" if there is none."""
        return self.overview.shadow.challenger.digest if self.overview else ""

    def join_labels(self, keep: Keep | None) -> Keep | None:
        """Return what keeps labels: the label log, if there is one, and the comparison."""
        if self.overview is None:
            return keep
        return ShadowLabels(self.overview.shadow.champion.schema.target, self.overview, keep).keep

    def close(self) -> None:
        """Compare nothing more."""
        if self.overview and self.queue:
            self.overview.close()
            self.queue.close()
        if self.opinion:
            self.opinion.queue.close()


def open_challenger(version: str, dataplane: Dataplane, turns: EngineTurns, folder: Path | None) -> Steps[Challenger]:
    """Let a version of the BentoML store answer in the shadow of the dataplane's model.

    `folder`: where the workers of a service publish, if there are several.
    """
    yield Step.UNLOCKED
    if not version:
        return Challenger(build_absence())
    champion = dataplane.model
    try:
        stored = find_challenger(champion.name, version)
        model = yield from open_model_in_steps(Path(stored.path), read_digest(stored))
        if model.digest == champion.digest:
            raise InvalidModel(f"version {model.version} is the champion itself: name another version")
        engine = TimedEngine((yield from model.start_engine_in_steps()), len(champion.schema.target.outputs))
        yield Step.BRIEF
        return _open(model, engine, dataplane, turns, folder)
    except Exception as error:  # the boundary: a package that its engine needs may be missing, too
        reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        sentence = f"CHALLENGER={version!r} can't be compared with version {champion.version}: {reason}"
        logger.warning("%s; the champion serves on", sentence)
        return Challenger(build_absence(sentence))


def _open(
    model: PackedModel, engine: TimedEngine, dataplane: Dataplane, turns: EngineTurns, folder: Path | None
) -> Challenger:
    champion = dataplane.model
    queue = BackgroundQueue(engine, turns, max_rows=MAX_ROWS + CHUNK_ROWS)

    def read_timings() -> tuple[Timing, Timing]:
        return dataplane.recorder.time_engine(), engine.timing

    try:
        shadow = Shadow(champion, model, queue, read_timings)
    except BaseException:
        queue.close()
        raise
    overview = Overview(shadow)
    dataplane.shadow = shadow
    if folder:
        overview.share(folder)
    logger.info("challenger: version %s answers in the shadow of version %s", model.version, champion.version)
    # A queue of its own, and the engine without its clock: rows that are tried must not change what is measured.
    opinion = Opinion(model, shadow.transcoder, BackgroundQueue(engine.engine, turns, MAX_IDLE_ROWS))
    return Challenger(build_challenger(overview), overview, queue, opinion)
