"""The whole loop: two services answer honest and faulty days, alarms name the faults, and labels become live scores.

The services' clock is turned from day to day (`tests/turned_clock.py`), through the days that follow the table's own.
Between the honest and the faulty days one service starts anew, so of its honest days only saved snapshots are left.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.commands.__main__ import main
from ekiben.model.store import find_model, open_stored
from ekiben.monitoring.commands import ALARM
from ekiben.pipeline.triggers.event import Event
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
from tests.conftest import Server, serve, using_stores
from tests.http_client import HTTP
from tests.turned_clock import TurnedClock

NAME = "loop"
FEATURES = ["heat", "price", "noise", "kind", "site", "sold"]
HONEST, FAULTY = (DAYS, DAYS + 1), (DAYS + 2, DAYS + 3)
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
            rows = json.loads(half[FEATURES].to_json(orient="records", date_format="iso"))
            answer = HTTP.post(f"{server.url}/predict", json={"rows": rows})
            assert answer.status_code == 200, answer.text
            self.sent.append(half)
            self.ids += [f"{answer.headers['x-prediction-id']}/{row}" for row in range(len(half))]
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
        pairs = zip(self.ids, pd.concat(self.sent)["late"].tolist(), strict=True)
        labels = [{"id": prediction_id, "label": late} for prediction_id, late in pairs][:LABELLED]
        self.receipts += [HTTP.post(f"{server.url}/feedback", json=labels).json() for _ in range(2)]

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
