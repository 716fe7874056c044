"""The watcher: one run at a time, whoever watches, whatever it is killed by, and whenever it is started again."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ekiben.pipeline.triggers.looking.seen import Seen
from ekiben.pipeline.triggers.memory import Memory
from ekiben.pipeline.triggers.watcher import Watcher, WrongModel
from tests.conftest import PATIENCE_S, wait_until
from tests.pipeline.triggers.recorded_runs import Clock, RecordedRuns, make_event, make_watcher

HOUR = 3600.0


def finish(watcher: Watcher) -> int:
    assert watcher.child is not None
    return watcher.child.wait()


def list_kinds() -> list[tuple[str, int]]:
    return [(record["kind"], record["count"]) for record in Memory("shop").decisions.read()]


def test_an_event_starts_a_run_that_gets_it(runs: RecordedRuns) -> None:
    watcher, event = make_watcher(runs), make_event(1, version="3")
    assert watcher.offer(event).train
    runs.end()
    assert finish(watcher) == 0
    assert runs.calls == [json.loads(event.to_json())]


def test_no_second_run_begins_while_one_is_on_or_the_watcher_cools_down(runs: RecordedRuns) -> None:
    clock = Clock()
    watcher = make_watcher(runs, clock)
    assert watcher.offer(make_event(1)).train
    clock.run(2 * HOUR)
    assert watcher.offer(make_event(2)).kind == "running"
    runs.end()
    finish(watcher)
    assert watcher.offer(make_event(1)).kind == "answered"
    assert watcher.offer(make_event(2)).train
    finish(watcher)
    assert watcher.offer(make_event(3)).kind == "cooling down"
    assert len(runs.calls) == 2


@pytest.mark.parametrize(("code", "again"), [(0, False), (3, False), (1, True), (130, True)])
def test_new_rows_ask_again_only_after_a_run_that_failed(code: int, again: bool, runs: RecordedRuns) -> None:
    clock = Clock()
    watcher = make_watcher(runs, clock, new_rows=10)
    assert watcher.consider(Seen(rows=100)).kind == "nothing"
    assert watcher.consider(Seen(rows=115)).train
    runs.end(code)
    assert finish(watcher) == code
    clock.run(HOUR)
    assert watcher.consider(Seen(rows=116)).train == again


def test_a_restart_keeps_cool_down_counts_and_answers(runs: RecordedRuns) -> None:
    clock = Clock()
    first = make_watcher(runs, clock, new_rows=10)
    first.consider(Seen(rows=100))
    first.offer(make_event(1))
    runs.end()
    finish(first)
    clock.run(HOUR - 1)
    assert make_watcher(runs, clock, new_rows=10).consider(Seen(rows=120)).kind == "cooling down"
    clock.run(1)
    assert make_watcher(runs, clock, new_rows=10).offer(make_event(1)).kind == "answered"
    assert make_watcher(runs, clock, new_rows=10).consider(Seen(rows=120)).train
    runs.wait_for_calls(2)


def test_two_watchers_of_a_folder_start_one_run(runs: RecordedRuns) -> None:
    clock = Clock()
    watchers = [make_watcher(runs, clock, new_rows=10) for _ in range(2)]
    for watcher in watchers:
        watcher.consider(Seen(rows=100))
    assert [watcher.consider(Seen(rows=200)).kind for watcher in watchers] == ["train", "running"]
    runs.end()
    finish(watchers[0])
    clock.run(HOUR)
    assert [watcher.consider(Seen(rows=200)).kind for watcher in watchers] == ["nothing"] * 2
    assert len(runs.calls) == 1


OFFER = """
import os, signal, sys
from tests.pipeline.triggers.recorded_runs import RecordedRuns, make_event, make_watcher
from ekiben.pipeline.triggers.moment import read_now
from pathlib import Path
watcher = make_watcher(RecordedRuns(Path(sys.argv[1])))
watcher.clock = read_now
print(watcher.offer(make_event(int(sys.argv[2]))).kind, flush=True)
if sys.argv[3] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(watcher.child.wait() if watcher.child else 0)
"""


def start(runs: RecordedRuns, number: int, how: str = "") -> "subprocess.Popen[str]":
    """Start a process that offers an event and waits for its run, or dies at once."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", OFFER, str(runs.folder), str(number), how],
        cwd=root, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_watchers_in_many_processes_start_one_run(runs: RecordedRuns) -> None:
    with ExitStack() as processes:
        processes.callback(runs.end)  # so that they end if this fails, too
        started = [processes.enter_context(start(runs, number)) for number in range(4)]
        runs.wait_for_calls(1)
        wait_until(lambda: sum(count for kind, count in list_kinds() if kind == "running") == 3)
        runs.end()
        kinds = sorted(process.communicate(timeout=PATIENCE_S)[0].strip() for process in started)
    assert kinds == ["running", "running", "running", "train"]
    assert len(runs.calls) == 1


@pytest.mark.slow
def test_a_run_goes_on_without_its_watcher_and_is_known_to_the_next(runs: RecordedRuns) -> None:
    with start(runs, 1, "die") as process:
        assert process.wait(60) == -signal.SIGKILL
    runs.wait_for_calls(1)
    clock = Clock()
    watcher = make_watcher(runs, clock)
    assert watcher.offer(make_event(2)).kind == "running"
    runs.end()
    wait_until(lambda: watcher.offer(make_event(2)).kind != "running")
    assert ("ended", 1) in list_kinds()
    assert make_watcher(runs, clock).memory.load(clock()).running is None


def test_a_child_gets_neither_the_token_nor_a_shell(runs: RecordedRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_TOKEN", "opensesame")
    seen = runs.folder / "environment"
    runs.script.write_text(f"#!/bin/sh\nenv > {seen}\n")
    watcher = make_watcher(runs)
    watcher.offer(make_event(evidence={"a": "opensesame; rm -rf $HOME"}))
    finish(watcher)
    assert "opensesame" not in seen.read_text()
    stored = [path.read_text() for path in (Path(os.environ["EKIBEN_HOME"]) / "data").rglob("*") if path.is_file()]
    assert any("rm -rf $HOME" in text for text in stored)
    assert not any("opensesame" in text for text in stored)


def test_the_end_of_the_watcher_ends_the_whole_run(runs: RecordedRuns) -> None:
    said: list[str] = []
    runs.script.write_text(
        f'#!/bin/sh\nsleep 300 &\necho $! > {runs.folder}/inner\necho "$2" >> {runs.folder}/calls\nwait'
    )
    watcher = make_watcher(runs, said=said)
    watcher.offer(make_event(1))
    runs.wait_for_calls(1)
    assert watcher.child is not None
    watcher.child.stop()
    assert said[-1].startswith("the run for drift ended: ended by signal 15, after ")
    inner = Path("/proc", (runs.folder / "inner").read_text().strip(), "stat")
    wait_until(lambda: not inner.exists() or " Z " in inner.read_text())


def test_a_command_that_is_not_there_is_said_and_cools_down(home: Path, runs: RecordedRuns) -> None:
    said: list[str] = []
    watcher = make_watcher(runs, said=said)
    watcher.command = ["/no/such/command"]
    assert watcher.offer(make_event(1)).train
    assert said[-1] == "the run for drift ended: /no/such/command can't be started (No such file or directory)"
    assert watcher.offer(make_event(1)).kind == "cooling down"


def test_an_event_of_another_model_is_rejected(runs: RecordedRuns) -> None:
    with pytest.raises(WrongModel, match="the event is of `bikes`, and `shop` is watched here"):
        make_watcher(runs).offer(make_event(model="bikes"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"since": 5}', "\x00" * 100])
def test_a_damaged_state_is_set_aside_and_cools_down(content: str, home: Path, runs: RecordedRuns) -> None:
    watcher = make_watcher(runs)
    file = home / "data" / "pipeline" / "watch" / "shop.json"
    file.write_text(content)
    assert watcher.offer(make_event(1)).kind == "cooling down"
    assert file.with_suffix(".damaged").read_text() == content


def test_without_room_for_its_memory_nothing_begins(runs: RecordedRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = make_watcher(runs)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device", "shop.part")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        watcher.offer(make_event(1))
    monkeypatch.undo()
    assert runs.calls == []


def test_a_storm_is_one_run_and_one_more_record(runs: RecordedRuns) -> None:
    clock = Clock()
    watcher = make_watcher(runs, clock)
    for number in range(1000):
        clock.run(0.06)
        watcher.offer(make_event(number))
    assert list_kinds() == [("train", 1), ("running", 999)]
    assert len(runs.calls) <= 1
