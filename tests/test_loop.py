"""The whole loop: two services answer honest and faulty days, alarms name the faults, and labels become live scores;
and where the world has changed, an alarm starts a training, whose version is tried and promoted under the same traffic.

The services' clock is turned from day to day (`tests/turned_clock.py`), through the days that follow the table's own.
Between the honest and the faulty days one service starts anew, so of its honest days only saved snapshots are left.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.commands.__main__ import main
from ekiben.model.store import find_model, open_stored, read_latest
from ekiben.monitoring.commands import ALARM
from ekiben.pipeline.records.journal import list_runs
from ekiben.pipeline.records.keeping import read_record
from ekiben.pipeline.triggers.events.event import Event
from ekiben.pipeline.triggers.moment import read_now
from ekiben.pipeline.triggers.rules import find_events
from ekiben.pipeline.triggers.starting import build_lookout
from ekiben.pipeline.triggers.state import State
from ekiben.training.checks.gate import report_path
from ekiben.training.dataset.target import encode_labels
from ekiben.training.evaluate import score
from ekiben.training.problem import read_problem
from ekiben.training.retrain_config import Retrain
from tests.alarm_days import DAYS, FAULTS, ROWS, START, make_days
from tests.conftest import Server, serve, using_stores, wait_until
from tests.http_client import HTTP
from tests.turned_clock import TurnedClock

NAME = "loop"
FEATURES = ["heat", "price", "noise", "kind", "site", "sold"]
HONEST, FAULTY = (DAYS, DAYS + 1), (DAYS + 2, DAYS + 3)
CHANGED = range(DAYS + 10, DAYS + 14)  # days of the world as it is then
LABELLED, LABELS_COME = 3 * ROWS, DAYS + 30  # rows, and the day; the last day's labels never come
Report = dict[str, Any]
pytestmark = pytest.mark.slow


def make_sales(first: int, count: int = 1) -> pd.DataFrame:
    """Return the shop's rows of some days, with a target that follows heat, kind and site."""
    frame = make_days(first, count)
    cold, north = frame["kind"].isin(["coat", "boot"]), frame["site"] == "north"
    spread = np.random.default_rng(first).normal(0, 1, len(frame))
    return frame.assign(late=(60 - frame["heat"]) / 10 + 2 * cold + north - 1.5 + spread > 0)


def break_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Measure the heat in another unit, swap coats and sandals, and add noise that the answers don't follow."""
    for fault in ("another unit", "swapped kinds"):
        frame = FAULTS[fault][1](frame)
    return frame.assign(noise=frame["noise"] + 5)


def find_time(day: int, hour: int = 12) -> datetime:
    return (START + pd.Timedelta(days=day, hours=hour)).to_pydatetime().replace(tzinfo=UTC)


def send(server: Server, frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Send rows in one request; return the version that answered, and the rows' ids."""
    rows = json.loads(frame[FEATURES].to_json(orient="records", date_format="iso"))
    answer = HTTP.post(f"{server.url}/predict", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    name = answer.headers["x-prediction-id"]
    return answer.json()["version"], [f"{name}/{row}" for row in range(len(frame))]


def label(server: Server, ids: list[str], frame: pd.DataFrame) -> Report:
    """Send the truth of rows; return the receipt."""
    labels = [{"id": one, "label": late} for one, late in zip(ids, frame["late"].tolist(), strict=True)]
    receipt: Report = HTTP.post(f"{server.url}/feedback", json=labels).json()
    return receipt


@dataclass
class Loop:
    """What was sent, and what came of it."""

    folder: Path
    clock: TurnedClock
    sent: list[pd.DataFrame] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)  # of these rows
    saved: list[Path] = field(default_factory=list)  # snapshots
    reports: list[tuple[int, Report]] = field(default_factory=list)  # after each day: exit code and report
    receipts: list[Report] = field(default_factory=list)  # of the labels, sent twice
    asked: list[Event] = field(default_factory=list)  # for a training, by a look at both services at the end

    def live(self, day: int, frame: pd.DataFrame, *servers: Server) -> None:
        """Send each service a half of a day's rows, save what it counted, and merge that with all days before."""
        self.clock.turn(find_time(day))
        for number, server in enumerate(servers):
            half = frame.iloc[number :: len(servers)]
            self.sent.append(half)
            self.ids += send(server, half)[1]
            self.saved.append(self.folder / f"day {day} of {number}.json")
            self.saved[-1].write_bytes(HTTP.get(f"{server.url}/monitoring").content)
        self.reports.append(self.write("drift", *(server.url for server in servers), *map(str, self.saved)))

    def write(self, *command: str) -> tuple[int, Report]:
        """Run a command that writes a report; return its exit code and the report."""
        file = self.folder / "report.json"
        code = main([*command, "--format", "json", "-o", str(file)])
        report: Report = json.loads(file.read_text())
        return code, report

    def label(self, server: Server) -> None:
        self.clock.turn(find_time(LABELS_COME))
        ids, frame = self.ids[:LABELLED], pd.concat(self.sent)[:LABELLED]
        self.receipts += [label(server, ids, frame) for _ in range(2)]

    def look(self, *servers: Server) -> None:
        """Look as `ekiben watch` does: the services just counted, and the log has labels since."""
        rules, now = Retrain(drift=True, new_labels=LABELLED), read_now()
        problem = read_problem(self.folder / "problem.toml")
        log = str(self.folder / "log")
        seen = build_lookout(problem, rules, [server.url for server in servers], log).look()
        assert seen.troubles == ()
        self.asked += find_events(rules, State(since=now, labels=0), seen, NAME, now)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with stores of its own, and a model in them."""
    folder = tmp_path_factory.mktemp("loop")
    make_sales(0, DAYS).to_csv(folder / "sales.csv", index=False)
    with using_stores(folder):
        made = ["--target", "late", "--name", NAME, "-o", str(folder / "problem.toml")]
        assert main(["init", str(folder / "sales.csv"), *made]) == 0
        assert main(["train", "--epochs", "2", "--problem", str(folder / "problem.toml")]) == 0
        yield folder
    report_path(NAME).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def loop(home: Path) -> Loop:
    """Four days of two services, which have ended."""
    clock = TurnedClock(home / "clock", find_time(HONEST[0], 6))
    loop = Loop(home, clock)
    variables = clock.variables | {"MODEL_NAME": NAME, "LOG_SAMPLE": "1", "LOG_FOLDER": str(home / "log")}
    for name in ("one", "two", "two again"):
        (home / name).mkdir()
    with serve(home / "one", **variables) as one:
        with serve(home / "two", **variables) as two:
            for day in HONEST:
                loop.live(day, make_sales(day), one, two)
        with serve(home / "two again", **variables) as two:
            for day in FAULTY:
                loop.live(day, break_rows(make_sales(day)), one, two)
            loop.label(two)
            loop.look(one, two)
    return loop


def test_honest_days_give_no_alarm(loop: Loop) -> None:
    for code, report in loop.reports[:2]:
        assert (code, report["alarms"]["alarms"], report["alarms"]["notes"]) == (0, [], [])
    assert loop.reports[1][1]["alarms"]["day"] == "2026-05-02"


def test_one_faulty_day_is_a_note(loop: Loop) -> None:
    code, report = loop.reports[2]
    assert (code, report["alarms"]["alarms"]) == (0, [])
    assert {note["feature"] for note in report["alarms"]["notes"]} == {"heat", "kind", "noise"}


def test_two_faulty_days_are_the_alarms_of_what_is_faulty_and_matters(loop: Loop) -> None:
    code, report = loop.reports[3]
    assert (code, report["alarms"]["day"]) == (ALARM, "2026-05-04")
    assert [alarm["feature"] for alarm in report["alarms"]["alarms"]] == ["kind", "heat"]
    assert [note["feature"] for note in report["alarms"]["notes"]] == ["noise"]


def test_a_look_at_the_services_and_the_log_asks_for_a_training(loop: Loop) -> None:
    drift, labels = loop.asked
    assert (drift.model, drift.version, drift.reason) == (NAME, "1", "drift")
    assert (drift.evidence["day"], drift.evidence["features"]) == ("2026-05-04", ["heat", "kind"])
    assert (labels.reason, labels.evidence["new"]) == ("new labels", LABELLED)


def test_every_row_of_both_services_is_counted_once(loop: Loop) -> None:
    assert [report["rows"] for _, report in loop.reports] == [ROWS * day for day in (1, 2, 3, 4)]


def test_snapshots_of_another_model_are_not_merged(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = loop.folder / "first.json", loop.folder / "second.json"
    shutil.copy(loop.saved[0], first)
    second.write_text(json.dumps(json.loads(loop.saved[1].read_text()) | {"model": "bikes", "version": "7"}))
    capsys.readouterr()
    assert main(["drift", str(first), str(second)]) == 2
    said = f"{first} is of {NAME} 1, {second} of bikes 7: only snapshots of one model add up"
    assert capsys.readouterr().err == f"error: {said}\n"


def test_the_live_score_is_the_offline_one_to_the_digit(loop: Loop) -> None:
    added, known = loop.receipts
    assert (added["added"], known["added"], known["known"]) == (LABELLED, 0, LABELLED)
    frame, problem = pd.concat(loop.sent), ["--problem", str(loop.folder / "problem.toml")]
    frame[FEATURES].to_csv(loop.folder / "sent.csv", index=False)
    scored = loop.folder / "scored.parquet"
    assert main(["predict", str(loop.folder / "sent.csv"), "-o", str(scored), *problem]) == 0
    answers = pd.read_parquet(scored)[["prediction.probability"]].to_numpy(np.float32)
    target = open_stored(find_model(NAME)).schema.target
    labels = encode_labels(target, frame["late"])

    code, live = loop.write("score-live", str(loop.folder / "log"), *problem)
    assert (code, live["notes"], live["whole"]["rows"]) == (0, [], len(frame))
    assert live["whole"]["scores"] == score(target, labels[:LABELLED], answers[:LABELLED])
    assert live["whole"]["scores"] != score(target, labels, answers)
    weeks = [(week["name"], week["rows"], week["labelled"]) for week in live["periods"]]
    assert weeks == [("2026-04-27", 3 * ROWS, LABELLED), ("2026-05-04", ROWS, 0)]
    assert round(live["whole"]["lag_s"] / 86_400) == LABELS_COME - HONEST[1]


@pytest.fixture(scope="module")
def retrained(home: Path) -> Iterator[Path]:
    """A problem file that trains on the log of one service, days with alarms and all, when there is an alarm."""
    path = home / "retrain.toml"
    path.write_text((home / "problem.toml").read_text() + RETRAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EKIBEN_HOME", str(home))
        yield path


RETRAIN = """
[retrain]
drift = true

[pipeline]
log = "LOG"
alarmed_days = true
services = ["URL"]
shadow_hours = 0.05
"""


class Traffic:
    """Rows of the changed world, with labels, until the end; each version's answered ids."""

    def __init__(self, server: Server, frame: pd.DataFrame) -> None:
        self._server, self._frame = server, frame
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.answered: dict[str, list[str]] = {}
        self.errors: list[BaseException] = []

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        assert self.errors == []

    def _go_on(self) -> None:
        try:
            while not self._ended.wait(0.2):
                version, ids = send(self._server, self._frame)
                label(self._server, ids, self._frame)
                self.answered.setdefault(version, []).extend(ids)
        except BaseException as error:
            self.errors.append(error)


def test_where_the_world_changed_a_new_version_is_made_tried_promoted_and_traced(
    home: Path, retrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, log, problem = TurnedClock(tmp_path / "clock", find_time(CHANGED[0], 6)), tmp_path / "log", str(retrained)
    variables = {"MODEL_NAME": NAME, "LOG_SAMPLE": "1", "LOG_FOLDER": str(log), "CHALLENGER": "challenger"}
    with serve(tmp_path, **clock.variables, **variables) as server:
        for day in CHANGED:
            clock.turn(find_time(day))
            frame = break_rows(make_sales(day))
            assert label(server, send(server, frame)[1], frame)["added"] == ROWS
            assert HTTP.get(f"{server.url}/monitoring").status_code == 200  # which counts the day's rows
        retrained.write_text(retrained.read_text().replace("LOG", str(log)).replace("URL", server.url))
        with Traffic(server, frame[:50]) as traffic:
            capsys.readouterr()
            assert main(["watch", "--once", "--problem", problem, "--service", server.url, "--log", str(log)]) == 0
            assert "a training begins (drift: " in capsys.readouterr().out
            wait_until(lambda: bool(traffic.answered.get("2")), server.log.read_text)
        assert sorted(traffic.answered) == ["1", "2"]
        assert "Traceback" not in server.log.read_text()

    (run,) = list_runs(NAME)
    assert (run.reason, run.outcome, run.version) == ("drift", "promoted", "2")
    verdicts = {one.gate: one for step in run.steps for one in read_record(step.key).verdicts}
    assert "in the shadow" in verdicts["shadow"].sentence
    assert {one.verdict for one in verdicts.values()} == {"go", "note"}

    answer = traffic.answered["2"][-1]
    assert main(["lineage", answer, "--log", str(log), "--problem", problem]) == 0
    said = capsys.readouterr().out
    assert f"answer {answer}" in said
    assert "kept, and read again" in said
    assert "champion before version 1" in said


def test_a_bad_table_then_ends_at_its_gate_and_the_champion_stays(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_latest(NAME)
    text = (home / "problem.toml").read_text()
    make_sales(0, 20).assign(heat="warm").to_csv(home / "bad.csv", index=False)
    (home / "bad.toml").write_text(text.replace("sales.csv", "bad.csv"))
    assert main(["run", "--problem", str(home / "bad.toml")]) == 3
    assert "nothing is promoted: schema skew: " in capsys.readouterr().out
    assert read_latest(NAME) == before
