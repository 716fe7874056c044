"""Conducts one model's canary in one worker: what all agree on is done here, and what happens here is judged."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from ekiben.contract.errors import UserError
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Target
from ekiben.service.canary.choosing import Canary
from ekiben.service.canary.guardrails import LOOK_S
from ekiben.service.canary.judge import Judge, Verdict
from ekiben.service.canary.memory import AnswerMemory
from ekiben.service.canary.pooling import Pooling
from ekiben.service.canary.run import Run
from ekiben.service.canary.state import EVERYONE, CanaryState, set_share
from ekiben.service.canary.tally import AnswerBins, TallyCounter
from ekiben.service.errors import BadRequest, RequestRejected
from ekiben.service.lifecycle.agreement import Agreement, CanNotAgree

JOINING_S = 30.0  # until then a worker that has begun a canary has seen all of it
logger = logging.getLogger("bentoml.service")


class Stage(Protocol):
    """One model's versions, as far as a canary needs them."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The version that answers whoever names none."""

    @property
    def target(self) -> Target:
        """What it predicts."""

    @property
    def reference(self) -> Reference | None:
        """What training saw."""

    async def hold(self, version: str, force: bool) -> None:
        """Have a version ready beside it; raises BadRequest if there is none, or it doesn't fit."""

    async def serve(self, version: str, force: bool) -> None:
        """Let a version answer whoever names none, from now on; raises as `hold` does."""

    def release(self, version: str) -> None:
        """End a version that is held beside it."""

    def divide(self, run: Run | None) -> None:
        """Let a canary choose who answers, or nobody."""


class Conductor:
    """One model's canary; belongs to one event loop."""

    def __init__(
        self, stage: Stage, agreement: Agreement, pooling: Pooling, header: str, make_id: Callable[[], bytes]
    ) -> None:
        """`header`: what names the callers' keys; `make_id`: a new key for a caller who has none."""
        self._stage, self._agreement, self._pooling = stage, agreement, pooling
        self._header, self._make_id = header.lower().encode(), make_id
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._judge: Judge | None = None
        self.state: CanaryState | None = None
        self.run: Run | None = None
        self.report: list[dict[str, Any]] = []
        agreement.watch(self._take)

    async def set_share(self, version: str, share: float, force: bool = False) -> CanaryState:
        """Let a version answer that share of the callers, or everyone; a person's word, which counts whatever was.

        Raises BadRequest with the reason for which all stays as it is.
        """
        await self._catch_up()
        if version != self._stage.version:
            await self._stage.hold(version, force)
            await self._catch_up()  # loading takes its time
        elif share < EVERYONE:
            raise BadRequest(409, f"version {version} answers everyone already: name another version, or no share")
        state, now = set_share(self.state, self._stage.version, version, share, time.time()), time.time()
        if share >= EVERYONE:
            state = state.end("promoted", f"version {version} answers everyone", now)
        self._agree(state)
        await self._catch_up()
        return state

    async def stop(self) -> None:
        """Let the champion answer everyone."""
        await self._catch_up()
        if self.state is not None and self.state.running:
            self._agree(self.state.end("stopped", "stopped by a person", time.time()))

    def is_trying(self, version: str) -> bool:
        """Return whether that version is the candidate."""
        return self.state is not None and self.state.running and self.state.candidate == version

    def note_served(self, version: str) -> None:
        """Hear which version answers everyone now, whatever made it: what was agreed on before may be over."""
        state, now = self.state, time.time()
        if state is None or version == state.served:
            return
        if state.running and version == state.candidate:
            ended = state.end("promoted", f"version {version} answers everyone", now)
        else:
            ended = state.end("stopped", f"version {version} took the place of {state.served}", now)
            ended = ended.model_copy(update={"champion": version})
        self._propose(ended, self._agreement.number)

    async def _catch_up(self) -> None:
        """Do first what was agreed on already."""
        self._agreement.read()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _agree(self, state: CanaryState) -> None:
        try:
            if self._agreement.propose(state.model_dump(), self._agreement.number):
                return
        except CanNotAgree as error:
            raise BadRequest(503, str(error)) from None
        raise BadRequest(409, "another worker was told otherwise just now: look at /monitoring/canary and ask again")

    def _propose(self, state: CanaryState, number: int) -> None:
        """Let the workers agree on this, unless something else was agreed on after that number."""
        try:
            self._agreement.propose(state.model_dump(), number)
        except CanNotAgree as error:
            logger.error("canary: %s: %s", state.reason, error)
            self._stage.divide(None)  # here at least; the next look tries again to tell the others

    def _take(self, value: Any) -> None:
        """Do what the workers agree on: what is over at once, the rest once it is loaded."""
        try:
            state = CanaryState.model_validate(value)
        except ValidationError:
            logger.warning("canary: %r is of another version of this service", value)
            return
        before, self.state = self.state, state
        if not state.running:
            self._stage.divide(None)
            self.run = None
            logger.info("canary: %s", state.reason)
        task = asyncio.ensure_future(self._follow(before, state))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, before: CanaryState | None, state: CanaryState) -> None:
        """Load what has to be loaded and let it answer; end what answers no more."""
        async with self._turn:
            if state is not self.state:
                return  # something else has been agreed on meanwhile
            try:
                if self._stage.version != state.served:
                    await self._stage.serve(state.served, force=True)  # who was asked has checked it
                if state.running:
                    await self._stage.hold(state.candidate, force=True)
            except (UserError, BadRequest, RequestRejected) as error:
                logger.warning("canary: this worker stays with version %s: %s", self._stage.version, error)
                return
            if state.running and state is self.state:
                self._begin(before, state)
            for version in {before.candidate, before.champion} if before else ():
                if version not in (self._stage.version, state.candidate if state.running else ""):
                    self._stage.release(version)
            if not state.running and state.candidate != self._stage.version:
                self._stage.release(state.candidate)

    def _begin(self, before: CanaryState | None, state: CanaryState) -> None:
        bins = AnswerBins(self._stage.target, self._stage.reference)
        same = self.run is not None and before is not None and before.began == state.began
        counter = self.run.counter if same and self.run else TallyCounter(bins)
        memory = AnswerMemory(self._stage.target)
        if same and self.run and before and before.changed == state.changed:
            memory = self.run.memory
        canary = Canary(state.champion, state.candidate, state.share, self._stage.model.encode())
        if not same:
            self._pooling.forget()
            self._judge, self.report = None, []
            if time.time() - state.began < JOINING_S:
                self._judge = Judge(state.champion, state.candidate, np.zeros_like(counter.read()), state.began)
            asyncio.get_running_loop().call_later(LOOK_S, self._look_regularly, state.began)
        self.run = Run(canary, self._header, counter, memory, self._make_id)
        self._stage.divide(self.run)
        logger.info("canary: version %s answers %.3g%% of the callers", state.candidate, 100 * state.share)

    def _look_regularly(self, began: float) -> None:
        if self.run is None or self.state is None or self.state.began != began:
            return
        try:
            self._look(self.run, self.state)
        except Exception:  # the boundary: the next look may go well
            logger.exception("canary: the guardrails failed")
        asyncio.get_running_loop().call_later(LOOK_S, self._look_regularly, began)

    def _look(self, run: Run, state: CanaryState) -> None:
        number, now = self._agreement.number, time.time()
        pool = self._pooling.exchange(state, run.counter.read(), run.memory.losses, self.report)
        if not pool.judging:
            self._judge, self.report = None, pool.report
            return
        if self._judge is None:  # another worker has judged what was before
            self._judge = Judge(state.champion, state.candidate, pool.tally, now)
        verdict = self._judge.look(pool.tally, pool.losses, now, state.changed)
        self.report = list(self._judge.describe())
        if verdict:
            reason = _describe_step_back(state, verdict, now)
            self._propose(state.step_back(verdict.guardrail, reason, now), number)


def _describe_step_back(state: CanaryState, verdict: Verdict, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S")
    given = f"its {100 * state.share:.3g}% of the callers"
    return f"{verdict.sentence}; at {moment} version {state.candidate} gave {given} back to version {state.champion}"
