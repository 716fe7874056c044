"""The alert of drift rings for each feature that has an alarm, and for nothing else: Prometheus' own evaluation."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiben.contract.reference.alarms.calibration import Edge
from ekiben.contract.reference.alarms.findings import AlarmReport, Finding
from ekiben.contract.reference.drift import DriftReport
from ekiben.contract.reference.snapshot import Snapshot
from ekiben.service.monitoring.series import Seen, render_series
from tests.conftest import ROOT

ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yml"
GROUP = "ekiben-monitoring"
PROMTOOL = shutil.which("promtool")
STEP_MIN = 30
DAY = 24 * 60 // STEP_MIN  # steps
EDGE = Edge(statistic="drift", low=0.0, high=0.5, unit=0.1)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")]
Series = Mapping[str, str]  # values by name and labels


def ring(folder: Path, series: Series, expected: Mapping[float, Sequence[str]]) -> None:
    """Have Prometheus evaluate days, and compare the features for which the alert rings after so many days."""
    groups = [group for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] if group["name"] == GROUP]
    for rule in groups[0]["rules"]:
        rule["annotations"] = {}
    (folder / "alerts.yml").write_text(yaml.safe_dump({"groups": groups}))
    test = {
        "interval": f"{STEP_MIN}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [describe(days, features) for days, features in expected.items()],
    }
    content = {"rule_files": ["alerts.yml"], "evaluation_interval": f"{STEP_MIN}m", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(content))
    command = [str(PROMTOOL), "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def describe(days: float, features: Sequence[str]) -> dict[str, Any]:
    alerts = [
        {"exp_labels": {"severity": "warning", "job": "ekiben", "model": "m", "feature": name}} for name in features
    ]
    return {"alertname": "EkibenDataChanged", "eval_time": f"{int(24 * 60 * days)}m", "exp_alerts": alerts}


def export(instance: str, *features: str) -> dict[str, str]:
    """Return the series, and their values, of a replica that has alarms of these features."""
    snapshot = Snapshot(model="m", version="1", reference="", span="hours", windows=())
    found = tuple(Finding(name, EDGE, 1.0, 5.0, 0.1, lasting=True) for name in features)
    report = AlarmReport(datetime(2026, 11, 2, tzinfo=UTC), 1.0, found)
    seen = Seen(DriftReport(snapshot=snapshot, features=(), answers=()), report)
    exposed = render_series({"m": lambda: seen}).decode()
    lines = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", exposed, re.MULTILINE)
    target = f'job="ekiben",instance="{instance}"'
    return {f"{name}{{{','.join(filter(None, (target, labels)))}}}": value for name, labels, value in lines}


def last(series: Series, begin: float, end: float) -> dict[str, str]:
    """Return series that are there from one day to another."""
    before, during = int(begin * DAY), int((end - begin) * DAY) - 1
    return {name: f"_x{before} {value}x{during}" for name, value in series.items()}


def test_each_feature_with_an_alarm_rings_once_and_as_long_as_any_replica_has_it(tmp_path: Path) -> None:
    series = last(export("a", "gate", "heat"), 2, 4) | last(export("b", "gate"), 2, 5) | last(export("c"), 0, 9)
    ring(tmp_path, series, {1.9: [], 2.1: ["gate", "heat"], 3.9: ["gate", "heat"], 4.5: ["gate"], 5.5: []})


def test_what_moves_without_an_alarm_is_silent(tmp_path: Path) -> None:
    moved = {
        f'monitoring_{name}{{job="ekiben",instance="a",feature="gate"}}': "0.01x96 3x480"
        for name in ("drift", "missing_share", "unseen_share", "answer_drift")
    }
    ring(tmp_path, last(export("a"), 0, 12) | moved, {day: [] for day in (1, 2.5, 3, 5, 10)})
