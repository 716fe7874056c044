"""One run of a model at a time: who begins together, who died, who was taken for dead, and who comes late."""

import errno
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ekiben.pipeline import lock as locking
from ekiben.pipeline.lock import STALE_S, RunBusy, RunLock, RunLost
from ekiben.pipeline.process import Process, find_process
from ekiben.pipeline.records import journal
from ekiben.pipeline.run import conduct
from ekiben.pipeline.step import Options
from ekiben.training.problem import load_problem
from ekiben.training.registry import tracking
from tests.pipeline.project import NAME, Project, using

pytestmark = pytest.mark.slow
DEAD = 4_194_305  # above what Linux numbers processes to


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("locks")):
        tracking.open_store(NAME)
        yield


@pytest.fixture
def free(registry: None) -> Iterator[None]:
    yield
    holder = RunLock(NAME, "")._find_holder()
    if holder is not None:
        RunLock(NAME, holder.run, holder.generation).release()


def hold(run: str) -> RunLock:
    lock = RunLock(NAME, run)
    lock.acquire()
    return lock


def test_it_is_held_until_it_is_given_back(free: None) -> None:
    first = hold("a")
    with pytest.raises(RunBusy, match=r"another run of shop is on its way \(a, "):
        hold("b")
    hold("a").check()  # the next step of the same run
    first.release()
    hold("b").check()
    with pytest.raises(RunLost, match="taken for dead by the run b"):
        first.check()


def test_another_process_of_the_same_run_is_refused_while_the_first_lives(free: None) -> None:
    first, here = hold("a"), find_process()
    first._tag({"process": str(Process(here.host, here.machine, 1))})  # which lives as long as the machine
    with pytest.raises(RunBusy, match=r"another process of this run of shop is on its way \(a, "):
        hold("a")
    first.check()
    first._tag({"process": str(Process(here.host, here.machine, DEAD))})
    hold("a").check()


@pytest.mark.parametrize("written", [0, 1])
def test_a_full_disk_keeps_no_lock(written: int, new_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(written))

    def write(path: Path, content: bytes) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "write_whole", write)
    with pytest.raises(OSError, match="No space left"), conduct(load_problem(None), Options(), None, None, print):
        raise ValueError
    assert RunLock(NAME, "")._find_holder() is None


def test_of_those_who_begin_together_one_goes_on(free: None) -> None:
    ready, held = threading.Barrier(6), []

    def begin(run: str) -> None:
        ready.wait()
        with suppress(RunBusy):
            held.append(hold(run))

    threads = [threading.Thread(target=begin, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (lock,) = held
    lock.check()


@pytest.mark.parametrize(
    ("process", "age_s", "taken"),
    [
        (Process(find_process().host, find_process().machine, DEAD), 0, True),  # it died here
        (Process("elsewhere", "1", DEAD), 0, False),  # what runs there, nobody knows here
        (Process("elsewhere", "1", DEAD), STALE_S + 1, True),
        (Process("elsewhere", "1", DEAD), -2 * STALE_S, True),  # its clock, or ours, has jumped
        (Process(), 0, False),  # between two steps
        (Process(), STALE_S + 1, True),
    ],
)
def test_who_is_dead_is_succeeded(
    process: Process, age_s: float, taken: bool, free: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = hold("dead")
    dead._tag({"process": str(process), "beat": (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()})
    if not taken:
        with pytest.raises(RunBusy):
            hold("next")
        dead.check()
        return
    hold("next").check()
    with pytest.raises(RunLost):
        dead.check()
    dead.release()  # it is not his any more
    with pytest.raises(RunBusy):
        hold("third")


def test_who_looked_before_it_was_given_back_comes_too_late(free: None, monkeypatch: pytest.MonkeyPatch) -> None:
    hold("a").release()
    late = RunLock(NAME, "late")
    read = iter([0])  # as it was before

    def read_once(self: Any) -> int:
        return next(read, 99)

    monkeypatch.setattr(RunLock, "_read_returned", read_once)
    with pytest.raises(RunBusy):
        late.acquire()
    monkeypatch.undo()
    hold("b").check()


def test_a_second_run_is_refused_in_one_sentence(project: Project) -> None:
    tracking.open_store(NAME)
    other = hold("other")
    done = project.run()
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith("error: another run of shop is on its way (other, ")
    assert len(project.runs()) == 1
    other.release()


def test_it_beats_while_a_step_is_done(free: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "BEAT_S", 0.01)
    lock = hold("a")
    beats = set()
    with lock.beating():
        while len(beats) < 3:
            holder = lock._find_holder()
            assert holder is not None
            beats.add(holder.beat)
    holder = lock._find_holder()
    assert holder is not None
    assert holder.process == Process()
