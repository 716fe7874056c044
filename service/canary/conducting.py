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
from ekiben.service.errors import BadRequest
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
        champion = self._stage.version
        if share >= EVERYONE:
            return await self._promote(version, force)
        if version == champion:
            raise BadRequest(409, f"version {version} answers everyone already: name another version, or no share")
        await self._stage.hold(version, force)
        return self._agree(set_share(self.state, champion, version, share, time.time()))

    def stop(self) -> CanaryState | None:
        """Let the champion answer everyone; return the state, None if there has been no canary."""
        if self.state is None or not self.state.running:
            return self.state
        return self._agree(self.state.end("stopped", "stopped by a person", time.time()))

    def is_trying(self, version: str) -> bool:
        """Return whether that version is the candidate."""
        return self.state is not None and self.state.running and self.state.candidate == version

    def note_served(self, version: str) -> None:
        """Hear which version answers everyone now, whatever made it: what was agreed on before may be over."""
        state = self.state
        if state is None or state.status not in ("running", "promoted") or version == state.champion:
            return
        if version != state.candidate:
            self._propose(state.end("stopped", _describe_replaced(state, version), time.time()))
        elif state.running:
            self._propose(state.end("promoted", f"version {version} answers everyone", time.time()))

    async def _promote(self, version: str, force: bool) -> CanaryState:
        now, champion = time.time(), self._stage.version
        if version != champion:
            await self._stage.hold(version, force)
        state = set_share(self.state, champion, version, EVERYONE, now)
        agreed = self._agree(state.end("promoted", f"version {version} answers everyone", now))
        await asyncio.gather(*self._tasks)
        return agreed

    def _agree(self, state: CanaryState) -> CanaryState:
        try:
            if self._agreement.propose(state.model_dump(), self._agreement.number):
                return state
        except CanNotAgree as error:
            raise BadRequest(503, str(error)) from None
        raise BadRequest(409, "another worker was told otherwise just now: look at /monitoring/canary and ask again")

    def _take(self, value: Any) -> None:
        """Do what the workers agree on."""
        try:
            state = CanaryState.model_validate(value)
        except ValidationError:
            logger.warning("canary: %r is of another version of this service", value)
            return
        before, self.state = self.state, state
        if before and before.running and before.candidate not in (state.candidate, state.champion):
            self._stage.release(before.candidate)
        if not state.running:
            self._end(state)
        if state.running or state.status == "promoted":
            task = asyncio.ensure_future(self._follow(before, state))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self, before: CanaryState | None, state: CanaryState) -> None:
        """Load what has to be loaded, and let it answer."""
        async with self._turn:
            try:
                if state is not self.state or self._stage.version != state.champion:
                    return  # something else has been agreed on meanwhile, or the champion is another
                if state.status == "promoted":
                    if state.candidate != state.champion:
                        await self._stage.serve(state.candidate, force=True)  # who was asked has checked it
                    return
                await self._stage.hold(state.candidate, force=True)
            except (UserError, BadRequest) as error:
                logger.warning("canary: version %s answers nobody in this worker: %s", state.candidate, error)
                return
            if state is self.state:
                self._begin(before, state)

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

    def _end(self, state: CanaryState) -> None:
        self._stage.divide(None)
        self.run = None
        if state.status != "promoted":
            self._stage.release(state.candidate)
        logger.info("canary: %s", state.reason)

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
        if self._stage.version != state.champion:
            self.note_served(self._stage.version)
            return
        pool = self._pooling.exchange(state, run.counter.read(), run.memory.losses, self.report)
        if not pool.judging:
            self._judge, self.report = None, pool.report
            return
        if self._judge is None:  # another worker has judged what was before
            self._judge = Judge(state.champion, state.candidate, pool.tally, now)
        verdict = self._judge.look(pool.tally, pool.losses, now, state.changed)
        self.report = list(self._judge.describe())
        if verdict:
            self._step_back(state, verdict, number, now)

    def _propose(self, state: CanaryState) -> None:
        try:
            self._agreement.propose(state.model_dump(), self._agreement.number)
        except CanNotAgree as error:
            logger.error("canary: %s: %s", state.reason, error)

    def _step_back(self, state: CanaryState, verdict: Verdict, number: int, now: float) -> None:
        ended = state.step_back(verdict.guardrail, _describe_step_back(state, verdict, now), now)
        try:
            self._agreement.propose(ended.model_dump(), number)
        except CanNotAgree as error:
            logger.error("canary: %s: %s", ended.reason, error)
            self._stage.divide(None)  # here at least; the next look tries again to tell the others


def _describe_step_back(state: CanaryState, verdict: Verdict, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S")
    given = f"its {100 * state.share:.3g}% of the callers"
    return f"{verdict.sentence}; at {moment} version {state.candidate} gave {given} back to version {state.champion}"


def _describe_replaced(state: CanaryState, version: str) -> str:
    return f"version {version} took the place of {state.champion}, beside which version {state.candidate} was tried"
