"""Decisions are recorded in bounded files, equal ones in one line, and can be listed."""

import json
from pathlib import Path

import pytest

from ekiben.commands.__main__ import main
from ekiben.pipeline.triggers import decisions as module
from ekiben.pipeline.triggers.decisions import DecisionLog
from ekiben.pipeline.triggers.rules import Decision, Kind
from tests.pipeline.triggers.recorded_runs import Clock, RecordedRuns, make_event, make_watcher

Capture = pytest.CaptureFixture[str]
PROBLEM = """name = "shop"
source = { loader = "flights" }
target = { name = "b", task = "binary" }
features = { a = { kind = "number" } }
"""


def decide(kind: Kind = "running", number: int = 0) -> Decision:
    return Decision(kind == "train", f"it is {kind}", make_event(number), kind)


def read_lines(folder: Path) -> list[str]:
    return (folder / "shop.jsonl").read_text().splitlines()


def test_equal_decisions_of_a_day_are_one_line_of_the_same_length(tmp_path: Path) -> None:
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    lengths = set()
    for number in range(1000):
        assert log.add(decide(number=number), clock.run(0.06)) == (number == 0)
        lengths.add((tmp_path / "shop.jsonl").stat().st_size)
    (record,) = log.read()
    assert len(lengths) == 1
    assert (record["count"], record["event"]["evidence"]) == (1000, {"number": 0})
    assert (record["time"], record["until"]) == ("2026-11-27T12:00:00Z", "2026-11-27T12:01:00Z")


def test_decisions_that_take_turns_are_counted_each(tmp_path: Path) -> None:
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    kinds: tuple[Kind, ...] = ("running", "cooling down", "budget")
    for number in range(300):
        log.add(decide(kinds[number % 3]), clock.run(1))
    assert [(record["kind"], record["count"]) for record in log.read()] == [(kind, 100) for kind in kinds]


@pytest.mark.parametrize("change", ["day", "run", "sentence", "train"])
def test_what_is_another_decision_is_another_line(change: str, tmp_path: Path) -> None:
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    log.add(decide("train" if change == "train" else "running"), clock())
    now = clock.run(86_400 if change == "day" else 1)
    kind: Kind = "train" if change == "train" else "budget" if change == "sentence" else "running"
    assert log.add(decide(kind), now, last="another" if change == "run" else "")
    assert [record["count"] for record in log.read()] == [1, 1]


def test_the_latest_numbers_stand_in_the_line_while_they_fit(tmp_path: Path) -> None:
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    for rows in (5, 1_000_000):
        log.add(decide("nothing"), clock(), seen={"rows": rows})
    log.add(decide("nothing"), clock(), seen={"rows": 7, "troubles": ["x" * 100]})
    (record,) = log.read()
    assert (record["count"], record["seen"]) == (3, {"rows": 1_000_000})


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    log.add(decide("running"), clock())
    with (tmp_path / "shop.jsonl").open("a") as file:
        file.write('{"kind": "running", "cou')
    log.add(decide("budget"), clock())
    assert [record["kind"] for record in log.read()] == ["running", "budget"]


def test_files_are_rotated_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    log, clock = DecisionLog(tmp_path, "shop"), Clock()
    for number in range(200):
        log.add(decide("train", number), clock.run(1))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["shop.1.jsonl", *(f"shop.{number}.jsonl" for number in range(2, 8)), "shop.jsonl"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 8 * 3000
    numbers = [record["event"]["evidence"]["number"] for record in log.read()]
    assert numbers == list(range(numbers[0], 200))


def test_the_command_lists_them_as_text_and_as_json(home: Path, runs: RecordedRuns, capsys: Capture) -> None:
    home.mkdir()
    (home / "problem.toml").write_text(PROBLEM)
    assert main(["decisions"]) == 0
    assert capsys.readouterr().out == "no decisions yet: `ekiben watch` makes them\n"
    clock = Clock()
    watcher = make_watcher(runs, clock)
    watcher.offer(make_event(1))
    for number in (2, 3, 4):
        clock.run(1)
        watcher.offer(make_event(number))
    runs.end(3)
    assert watcher.child is not None
    watcher.child.wait()
    assert main(["decisions"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-27T12:00:00Z a training begins (drift: it was asked for)",
        "2026-11-27T12:00:01Z no training begins: a run of the model is on (and 2 more until 2026-11-27T12:00:03Z)",
        "2026-11-27T12:00:03Z the run for drift ended: stop: a gate said no, after 3 s",
    ]
    assert main(["decisions", "-p", str(home / "problem.toml"), "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [(record["kind"], record["train"], record["count"]) for record in records] == [
        ("train", True, 1), ("running", False, 3), ("ended", False, 1),
    ]  # fmt: skip
    assert (records[0]["event"]["evidence"], records[2]["exit_code"]) == ({"number": 1}, 3)
