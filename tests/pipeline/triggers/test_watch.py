"""`ekiben watch` as a process: its codes, its end, and what it says where something is missing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben.commands.__main__ import main
from ekiben.pipeline.triggers.commands import read_address
from ekiben.pipeline.triggers.events.listening import Listener
from ekiben.pipeline.triggers.looking.row_log import RowLog
from ekiben.pipeline.triggers.starting import list_instances
from tests.conftest import PATIENCE_S, ROOT, wait_until
from tests.pipeline.triggers.recorded_runs import RecordedRuns

Capture = pytest.CaptureFixture[str]
PROBLEM = """name = "shop"
source = {{ path = "table.csv" }}
target = {{ name = "b", task = "binary" }}
features = {{ a = {{ kind = "number" }} }}
[retrain]
{rules}
"""
TOKEN = "opensesame"


def write_problem(home: Path, rules: str = "new_rows = 10") -> None:
    home.mkdir(exist_ok=True)
    (home / "problem.toml").write_text(PROBLEM.format(rules=rules))
    (home / "table.csv").write_text("a,b\n" + "1,0\n2,1\n" * 50)


def add_rows(home: Path, rows: int) -> None:
    with (home / "table.csv").open("a") as file:
        file.write("1,0\n" * rows)


def list_decisions(capsys: Capture) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["decisions", "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@contextmanager
def watch(runs: RecordedRuns, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "ekiben.commands", "watch", "--do", str(runs.script), *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"WATCH_TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("code", [0, 3, 1])
def test_once_exits_with_the_code_of_the_run(code: int, home: Path, runs: RecordedRuns, capsys: Capture) -> None:
    write_problem(home)
    runs.end(code)
    once = ["watch", "--once", "--do", str(runs.script)]
    assert main(once) == 0
    add_rows(home, 10)
    assert main(once) == code
    assert main(once) == 0
    (call,) = runs.calls
    assert (call["model"], call["reason"], call["evidence"]["new"]) == ("shop", "new rows", 10)
    kinds = ["nothing", "train", "ended", "nothing" if code in (0, 3) else "cooling down"]
    assert [record["kind"] for record in list_decisions(capsys)] == kinds


@pytest.mark.slow
def test_a_watcher_looks_trains_ends_and_finds_its_state_again(home: Path, runs: RecordedRuns, capsys: Capture) -> None:
    write_problem(home)
    with watch(runs, "--every", "0.1s") as process:
        wait_until(lambda: bool(list_decisions(capsys)))
        add_rows(home, 12)
        runs.wait_for_calls(1)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE_S)[0].splitlines()
        assert process.returncode == 0
    assert [line.partition(" ")[2].partition(", after")[0] for line in said][1:] == [
        "a training begins (new rows: 12 new rows, 10 or more were asked for)",
        "the watcher ends; it will find what it remembers",
        "the run for new rows ended: ended by signal 15",
    ]
    runs.end()
    assert main(["watch", "--once", "--do", str(runs.script)]) == 0
    assert list_decisions(capsys)[-1]["kind"] == "cooling down"
    assert len(runs.calls) == 1


@pytest.mark.slow
def test_two_processes_watch_and_listen_and_one_run_begins(home: Path, runs: RecordedRuns, capsys: Capture) -> None:
    write_problem(home)
    with watch(runs, "--listen", "0", "--every", "0.1s") as one, watch(runs, "--listen", "0", "--every", "0.1s") as two:
        urls = [f"http://127.0.0.1:{read_port(process)}/events" for process in (one, two)]
        headers = {"authorization": f"Bearer {TOKEN}"}
        for number in range(20):
            event = {"model": "shop", "reason": "drift", "evidence": {"number": number}}
            answer = httpx.post(urls[number % 2], json=event, headers=headers)
            assert answer.status_code == 200
        runs.wait_for_calls(1)
        records = {record["kind"]: record["count"] for record in list_decisions(capsys)}
        assert (records["train"], records["running"]) == (1, 19)
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in (one, two)] == [0, 0]
    assert len(runs.calls) == 1


def read_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    line = next(line for line in process.stdout if "takes events on 127.0.0.1:" in line)
    return int(line.rpartition(":")[2])


@pytest.mark.parametrize(
    ("rules", "options", "sentence"),
    [
        ("cooldown = '1h'", [], "[retrain] of the problem file of `shop` says no reason to train"),
        ("drift = true", [], "`retrain.drift` needs the services whose alarms count: name each with --service"),
        ("drift = true", ["--service", "a.json"], "--service a.json is not a URL: name a service's URL, such as"),
        ("new_labels = 5", [], "`retrain.new_labels` and `retrain.score` need the row log: name its folder with --log"),
        ("new_rows = 5", ["--listen", "8090"], "--listen needs WATCH_TOKEN, ASCII without spaces: whoever sends it"),
        ("new_rows = 0", [], "problem.toml: `retrain.new_rows`: input should be greater than 0"),
        ("schedule = '* 3 * * 1'", [], "problem.toml: `retrain.schedule`: expected a duration such as"),
        ("score = { metric = 'auc' }", [], "problem.toml: `retrain.score`: say either `below`"),
        ("colour = 1", [], "problem.toml: `retrain.colour`: extra inputs are not permitted"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_once(
    rules: str, options: list[str], sentence: str, home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCH_TOKEN", raising=False)
    write_problem(home, rules)
    assert main(["watch", *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "here"], "expected HOST:PORT or PORT, such as 127.0.0.1:8090, got 'here'"),
        (["--listen", "a:99999"], "expected HOST:PORT or PORT"),
        (["--every", "5"], "expected a duration such as 30s, 10m or 2h, got '5'"),
        (["--do", "'"], '"\'" is not a command (no closing quotation)'),
        (["--do", " "], "expected a command"),
        (["--once", "--listen", "80"], "--once goes without --listen"),
    ],
)
def test_a_wrong_option_is_said(arguments: list[str], sentence: str, home: Path, capsys: Capture) -> None:
    write_problem(home)
    with pytest.raises(SystemExit):
        main(["watch", *arguments])
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_a_trouble_is_said_once_and_recorded(home: Path, runs: RecordedRuns, capsys: Capture) -> None:
    write_problem(home)
    (home / "table.csv").unlink()
    assert main(["watch", "--once"]) == 0
    said = f"there is no file or folder {home}/table.csv"
    assert capsys.readouterr().out.splitlines()[-1].endswith(said)
    assert list_decisions(capsys)[0]["seen"]["troubles"] == [said]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8090", ("127.0.0.1", 8090)),
        (":8090", ("127.0.0.1", 8090)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:1", ("::1", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


def test_instances_are_named_as_prometheus_names_them() -> None:
    assert list_instances(["http://a:8080/", "https://b/monitoring/models/x", "http://c"]) == {
        "a:8080",
        "b:443",
        "c:80",
    }


def test_an_event_at_the_very_end_starts_no_run_that_nobody_ends(
    home: Path, runs: RecordedRuns, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_problem(home)
    stop = Listener.stop

    def stop_late(listener: Listener) -> None:
        event, headers = {"model": "shop", "reason": "manual"}, {"authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"http://127.0.0.1:{listener.port}/events", json=event, headers=headers, timeout=PATIENCE_S)
        assert answer.json()["decisions"][0]["train"]
        stop(listener)

    monkeypatch.setenv("WATCH_TOKEN", TOKEN)
    monkeypatch.setattr(Listener, "stop", stop_late)
    monkeypatch.setattr("ekiben.pipeline.triggers.watch.watch", lambda *given: None)
    assert main(["watch", "--listen", "0", "--do", str(runs.script)]) == 0
    assert [record["kind"] for record in list_decisions(capsys)] == ["train", "ended"]


def test_a_storage_that_fails_is_a_trouble_and_hides_nothing_else(
    home: Path, runs: RecordedRuns, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(log: RowLog) -> int:
        raise OSError("AWS Error NETWORK_CONNECTION\nduring HeadObject")

    write_problem(home, "new_rows = 10\nnew_labels = 5")
    monkeypatch.setattr(RowLog, "count_labels", fail)
    once = ["watch", "--once", "--do", str(runs.script), "--log", str(home / "log")]
    runs.end()
    assert main(once) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(
        "the row log can't be looked at: AWS Error NETWORK_CONNECTION during HeadObject" in line for line in said
    )
    add_rows(home, 10)
    assert main(once) == 0
    assert len(runs.calls) == 1
