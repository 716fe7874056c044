"""Conducts one model's canary in one worker: what all agree on is done here, and what happens here is judged."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from ekiben.contract.errors import UserError
from ekiben.service.canary.choosing import Canary
from ekiben.service.canary.guardrails import LOOK_S
from ekiben.service.canary.judge import Verdict
from ekiben.service.canary.pooling import Pooling
from ekiben.service.canary.run import Run
from ekiben.service.canary.stage import Stage
from ekiben.service.canary.state import EVERYONE, CanaryState, set_share
from ekiben.service.canary.tally import AnswerBins
from ekiben.service.canary.watching import Watch
from ekiben.service.errors import BadRequest, RequestRejected
from ekiben.service.lifecycle.agreement import Agreement, CanNotAgree

logger = logging.getLogger("bentoml.service")


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
        self._held: set[str] = set()  # versions that may be candidates
        self._watch: Watch | None = None
        self.state: CanaryState | None = None
        agreement.watch(self._take)

    @property
    def report(self) -> list[dict[str, Any]]:
        """What each guardrail has seen, of the last canary."""
        return self._watch.report if self._watch else []

    async def set_share(self, version: str, share: float, force: bool = False) -> CanaryState:
        """Let a version answer that share of the callers, or everyone; a person's word, which counts whatever was.

        Raises BadRequest with the reason for which all stays as it is.
        """
        await self._catch_up()
        if version != self._stage.version:
            await self._hold(version, force)
            await self._catch_up()  # loading takes its time
        elif share < EVERYONE:
            raise BadRequest(409, f"version {version} answers everyone already: name another version, or no share")
        now = time.time()
        state = set_share(self.state, self._stage.version, version, share, now)
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
        self.state = state
        if not state.running:
            self._stage.divide(None)
            logger.info("canary: %s", state.reason)
        task = asyncio.ensure_future(self._follow(state))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, state: CanaryState) -> None:
        """Load what has to be loaded and let it answer; end what answers no more."""
        async with self._turn:
            if state is not self.state:
                return  # something else has been agreed on meanwhile
            try:
                if self._stage.version != state.served:
                    await self._stage.serve(state.served, force=True)  # who was asked has checked it
                if state.running:
                    await self._hold(state.candidate, force=True)
            except (UserError, BadRequest, RequestRejected) as error:
                logger.warning("canary: this worker stays with version %s: %s", self._stage.version, error)
                return
            if state.running and state is self.state:
                self._begin(state)
            for version in self._held - ({state.candidate} if state.running else set()):
                self._stage.release(version)
                self._held.discard(version)

    async def _hold(self, version: str, force: bool) -> None:
        await self._stage.hold(version, force)
        self._held.add(version)

    def _begin(self, state: CanaryState) -> None:
        stage = self._stage
        if self._watch is None or self._watch.began != state.began:
            bins = AnswerBins(stage.target, stage.reference)
            self._watch = Watch(state, bins, stage.target, self._pooling, stage.why_no_labels)
            asyncio.get_running_loop().call_later(LOOK_S, self._look, self._watch)
        self._watch.note_share(state)
        canary = Canary(state.champion, state.candidate, state.share, stage.model.encode())
        stage.divide(Run(canary, self._header, self._watch.counter, self._watch.memory, self._make_id))
        logger.info("canary: version %s answers %.3g%% of the callers", state.candidate, 100 * state.share)

    def _look(self, watch: Watch) -> None:
        """Judge what was counted, and again in a while, until another canary begins or this one ends."""
        if watch is not self._watch or self.state is None or not self.state.running:
            return
        number, state = self._agreement.number, self.state
        try:
            if verdict := watch.look(state):
                now = time.time()
                self._propose(state.step_back(verdict.guardrail, _describe(state, verdict, now), now), number)
        except Exception:  # the boundary: the next look may go well
            logger.exception("canary: the guardrails failed")
        asyncio.get_running_loop().call_later(LOOK_S, self._look, watch)


def _describe(state: CanaryState, verdict: Verdict, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S")
    given = f"its {100 * state.share:.3g}% of the callers"
    return f"{verdict.sentence}; at {moment} version {state.candidate} gave {given} back to version {state.champion}"
