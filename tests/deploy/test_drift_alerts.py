"""The alerts of drift ring for what lasts, and for nothing else: Prometheus' own evaluation of made-up weeks."""

import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

ALERTS = ROOT / "deploy" / "compose" / "alerts.yml"
GROUP = "ekiben-monitoring"
PROMTOOL = shutil.which("promtool")
STEP_MIN = 30
HOUR = 60 // STEP_MIN  # steps
DAY, WEEK = 24 * HOUR, 7 * 24 * HOUR
BEGINS = WEEK + DAY // 2  # the fault
LENGTH = 2 * WEEK
# What is calm and what is faulty of each alert's series; training's shares are 0.1.
SERIES = {
    "EkibenFeatureMissing": ("monitoring_missing_share", "feature", 0.11, 0.9),
    "EkibenCategoryUnknown": ("monitoring_unseen_share", "feature", 0.0, 0.3),
    "EkibenFeatureMoved": ("monitoring_drift", "feature", 1.0, 2.0),
    "EkibenAnswersMoved": ("monitoring_answer_drift", "answer", 0.2, 0.5),
}
MOVED = [alert for alert in SERIES if alert.endswith("Moved")]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")]
Values = Callable[[float, float], str]  # of a series, from what is calm and what is faulty


def ring(
    folder: Path, write: Values, expected: Mapping[float, bool], alerts: Iterable[str] = SERIES, rows: int = 1000
) -> None:
    """Have Prometheus evaluate two weeks, and compare whether each alert rings so many hours after the fault began."""
    groups = [group for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] if group["name"] == GROUP]
    for rule in groups[0]["rules"]:
        rule["annotations"] = {}
    (folder / "alerts.yml").write_text(yaml.safe_dump({"groups": groups}))
    step = f"{STEP_MIN}m"
    tests = [
        {
            "interval": step,
            "input_series": list_series(alert, write, rows),
            "alert_rule_test": [describe(alert, hours, rings) for hours, rings in expected.items()],
        }
        for alert in alerts
    ]
    test = {"rule_files": ["alerts.yml"], "evaluation_interval": step, "tests": tests}
    (folder / "test.yml").write_text(yaml.safe_dump(test))
    command = [str(PROMTOOL), "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def list_series(alert: str, write: Values, rows: int) -> list[dict[str, str]]:
    """Return what two replicas export of an alert's series, beside a calm one."""
    name, label, calm, faulty = SERIES[alert]
    exported = {}
    for replica in ("a", "b"):
        target = f'job="ekiben",instance="{replica}",model="flights"'
        exported[f"monitoring_rows{{{target}}}"] = f"{rows}x{LENGTH}"
        for labelled, values in (("gate", write(calm, faulty)), ("calm", f"{calm}x{LENGTH}")):
            labels = f'{{{target},{label}="{labelled}"}}'
            exported[name + labels] = values
            exported[name.replace("monitoring_", "monitoring_training_") + labels] = f"0.1x{LENGTH}"
    return [{"series": series, "values": values} for series, values in exported.items()]


def describe(alert: str, hours: float, rings: bool) -> dict[str, Any]:
    labels = {"severity": "warning", "model": "flights", SERIES[alert][1]: "gate"}
    minute = BEGINS * STEP_MIN + int(60 * hours)
    return {"alertname": alert, "eval_time": f"{minute}m", "exp_alerts": [{"exp_labels": labels}] if rings else []}


def last(steps: int, before: int = BEGINS) -> Values:
    """Return what writes a fault of that length, after so many calm steps."""
    return lambda calm, faulty: f"{calm}x{before - 1} {faulty}x{steps - 1} {calm}x{LENGTH}"


def test_a_fault_that_fills_two_windows_rings_for_its_feature_alone(tmp_path: Path) -> None:
    ring(tmp_path, last(2 * DAY), {-1: False, 3.5: False, 4.5: True})


def test_a_fault_of_one_window_is_silent(tmp_path: Path) -> None:
    ring(tmp_path, last(3 * HOUR), dict.fromkeys(range(10), False))


def test_of_few_rows_nothing_is_concluded(tmp_path: Path) -> None:
    ring(tmp_path, last(2 * DAY), {4.5: False, 12: False}, rows=999)


def test_what_moved_as_far_in_the_week_before_is_a_season(tmp_path: Path) -> None:
    def write(calm: float, faulty: float) -> str:
        return f"{faulty}x{WEEK - DAY} {calm}x{BEGINS - (WEEK - DAY) - 2} {faulty}x{LENGTH}"

    ring(tmp_path, write, {4.5: False, 12: False}, MOVED)


def test_without_a_week_of_history_nothing_is_said_to_have_moved(tmp_path: Path) -> None:
    def write(calm: float, faulty: float) -> str:
        return f"_x{WEEK - DAY} {last(2 * DAY, 2 * DAY)(calm, faulty)}"

    ring(tmp_path, write, dict.fromkeys((17, 18, 24), False), MOVED)
