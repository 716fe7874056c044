"""A canary from a person's word to its end, in one worker and in several that share a folder."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Target
from ekiben.service.canary import conducting as module
from ekiben.service.canary import pooling as pooling_module
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.pooling import Pooling
from ekiben.service.canary.run import Run
from ekiben.service.errors import BadRequest, CallerGone, EngineFailed
from ekiben.service.lifecycle import agreement as agreement_module
from ekiben.service.lifecycle.agreement import Agreement
from tests.service.canary.callers import Caller
from tests.waiting import wait_for

PROCESSES = 99_999_998, 99_999_999  # that are none
Scenario = Callable[[], Awaitable[None]]


class FakeStage:
    """Versions that are only names; `missing` can't be loaded."""

    model, target = "doubling", Target(name="y", classes=(False, True))
    reference: Reference | None = None
    why_no_labels = "no labels are kept here"

    def __init__(self) -> None:
        self.version = "2"
        self.held: set[str] = set()
        self.run: Run | None = None

    async def hold(self, version: str, force: bool) -> None:
        if version == "missing":
            raise BadRequest(404, "there is no version missing")
        self.held.add(version)

    async def serve(self, version: str, force: bool) -> None:
        self.version = version
        self.held.discard(version)

    def release(self, version: str) -> None:
        self.held.discard(version)

    def divide(self, run: Run | None) -> None:
        self.run = run


def make(folder: Path | None = None, process: int = 0) -> tuple[FakeStage, Conductor]:
    """Return a conductor in this process, or as if in that one."""
    stage, ids = FakeStage(), (b"%d" % number for number in itertools.count())
    number = process or os.getpid()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "getpid", lambda: number)
        pooling = Pooling(stage.model, folder)
    return stage, Conductor(stage, Agreement("canary", folder), pooling, "X-Canary-Key", ids.__next__)


def ask(stage: FakeStage, callers: int, failing: str = "", key: str = "caller") -> list[str]:
    """Let callers ask once; return the versions that answered them."""
    versions = []
    for number in range(callers):
        caller = Caller(f"{key} {number}".encode())
        assert stage.run
        versions.append("3" if stage.run.choose(caller) else stage.version)
        assert caller.drawn
        if versions[-1] == failing:
            caller.drawn.note_failure(EngineFailed())
        else:
            caller.drawn.note_answer(0.002, np.array([[0.5]], np.float32), caller.key)
    return versions


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(agreement_module, "LOOK_S", 0.01)


def play(scenario: Scenario) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


async def begin(stage: FakeStage, conductor: Conductor, share: float = 0.5) -> None:
    await conductor.set_share("3", share)
    await wait_for(lambda: stage.run is not None and stage.run.canary.share == share)


def test_shares_grow_to_everyone_and_callers_stay(hurried: None) -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor, 0.1)
        few = ask(stage, 400)
        await begin(stage, conductor, 0.5)
        many = ask(stage, 400)
        assert 20 < few.count("3") < 60 < 160 < many.count("3") < 240
        assert all(new == "3" for old, new in zip(few, many, strict=True) if old == "3")
        state = await conductor.set_share("3", 1.0)
        assert (stage.version, stage.run, state.status, state.share) == ("3", None, "promoted", 1.0)
        assert state.reason == "version 3 answers everyone"
        state = await conductor.set_share("2", 1.0)
        assert stage.version == "2"
        assert state.began == state.changed  # one word of a person is one moment

    play(scenario)


def test_a_candidate_that_fails_steps_back_and_a_person_may_begin_again(hurried: None) -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        ask(stage, 2000, failing="3")
        await wait_for(lambda: stage.run is None)
        state = conductor.state
        assert state is not None
        assert (state.status, state.share, state.guardrail, stage.version) == ("stepped back", 0.0, "errors", "2")
        assert state.step_backs == {"errors": 1}
        assert "requests to version 3 failed, 0 of" in state.reason
        assert "version 3 gave its 50% of the callers back to version 2" in state.reason
        assert stage.held == set()
        await begin(stage, conductor)
        assert conductor.state
        assert conductor.state.reason == ""
        assert conductor.state.step_backs == {"errors": 1}

    play(scenario)


def test_that_no_labels_come_is_said(hurried: None) -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        await wait_for(lambda: conductor.report != [])
        assert conductor.report[-1]["waits for"] == stage.why_no_labels

    play(scenario)


def test_what_is_no_versions_fault_is_not_counted() -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        caller = Caller(b"a")
        assert stage.run
        stage.run.choose(caller)
        for error in (CallerGone(), BadRequest(413, "too many rows")):
            assert caller.drawn
            caller.drawn.note_failure(error)
        assert stage.run.counter.read().sum() == 0

    play(scenario)


def test_who_has_no_key_is_chosen_anew_each_time() -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        assert stage.run
        chosen = [stage.run.choose(Caller()) for _ in range(200)]
        assert 60 < sum(chosen) < 140

    play(scenario)


def test_stop_gives_everyone_back() -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await conductor.stop()
        assert conductor.state is None
        await begin(stage, conductor)
        await conductor.stop()
        stopped = conductor.state
        assert stopped
        assert (stopped.status, stage.run, stage.version) == ("stopped", None, "2")

    play(scenario)


@pytest.mark.parametrize(
    ("version", "status", "sentence"),
    [("missing", 404, "there is no version missing"), ("2", 409, "version 2 answers everyone already")],
)
def test_what_can_not_begin_changes_nothing(version: str, status: int, sentence: str) -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        with pytest.raises(BadRequest, match=sentence) as caught:
            await conductor.set_share(version, 0.1)
        assert caught.value.status == status
        assert conductor.state
        assert (conductor.state.candidate, conductor.state.share) == ("3", 0.5)

    play(scenario)


def test_another_champion_ends_it(hurried: None) -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        stage.version = "4"
        conductor.note_served("4")
        await wait_for(lambda: stage.run is None and not stage.held)
        assert conductor.state
        assert conductor.state.reason == "version 4 took the place of 2"

    play(scenario)


def test_a_candidate_that_is_promoted_otherwise_has_won() -> None:
    async def scenario() -> None:
        stage, conductor = make()
        await begin(stage, conductor)
        stage.version = "3"
        conductor.note_served("3")
        assert conductor.state
        assert (conductor.state.status, conductor.state.served, stage.run) == ("promoted", "3", None)

    play(scenario)


def test_a_worker_that_is_late_follows(hurried: None, tmp_path: Path) -> None:
    async def scenario() -> None:
        (stage, conductor), (late_stage, late) = make(tmp_path), make(tmp_path)
        for version in ("3", "4"):
            await conductor.set_share(version, 1.0)
        await conductor.set_share("5", 0.5)
        await wait_for(lambda: late_stage.run is not None)
        assert (late_stage.version, late_stage.held) == (stage.version, stage.held) == ("4", {"5"})
        await late.set_share("2", 1.0)
        await wait_for(lambda: stage.version == "2" and not stage.held)

    play(scenario)


def test_workers_agree_and_add_up(hurried: None, tmp_path: Path) -> None:
    """Each sees half of the failures that are needed."""

    async def scenario() -> None:
        stages, conductors = zip(*(make(tmp_path, process) for process in PROCESSES), strict=True)
        await begin(stages[0], conductors[0])
        await wait_for(lambda: stages[1].run is not None)
        versions = [ask(stage, 300) for stage in stages]
        assert versions[0] == versions[1]
        for stage in stages:
            ask(stage, 40, failing="3", key="failing")
        await wait_for(lambda: all(stage.run is None for stage in stages))
        assert next(conductor.state for conductor in conductors) == conductors[1].state
        assert conductors[0].state
        assert conductors[0].state.guardrail == "errors"
        late_stage, late = make(tmp_path)
        assert late.state == conductors[0].state
        assert late_stage.run is None

    play(scenario)


def test_what_a_worker_has_counted_that_has_died_counts_on(
    hurried: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling_module, "FRESH_S", 0.0)  # so that each judges

    async def scenario() -> None:
        first, conductor = make(tmp_path, PROCESSES[0])
        await begin(first, conductor)
        ask(first, 300)
        await wait_for(lambda: read_counted(conductor) == 300)
        conductor._watch = None  # it looks no more: its process has died
        second, joining = make(tmp_path, PROCESSES[1])
        await wait_for(lambda: second.run is not None)
        ask(second, 50)
        await wait_for(lambda: read_counted(joining) == 350)

    play(scenario)


def read_counted(conductor: Conductor) -> int:
    """Return how many answers the guardrail of errors has seen, of all workers."""
    (errors,) = [one for one in conductor.report if one["name"] == "errors"] or [{"candidate": {}, "champion": {}}]
    return sum(errors[arm].get("of", 0) for arm in ("candidate", "champion"))
