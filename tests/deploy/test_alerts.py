"""Each alert rings for what it is about and for nothing else, by Prometheus' own evaluation, and has a runbook."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
PROMTOOL = shutil.which("promtool")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(PROMTOOL), "test", "rules", *map(str, sorted((folder / "tests").glob("*.yml")))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_promtool
def test_alerts_ring_when_they_should_and_only_then() -> None:
    done = run(MONITORING)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("by (namespace, job, model)", "by (model)"),  # two services of one model's name are one
        ("changes(process_start", "resets(process_start"),  # a loop of OOM is slept through
        ("(.+)-[^-]+-[^-]+", "(.+)-[^-]+"),  # a pod's alert is of nobody's job
        ("[10m])) > 2.5", "[10m])) > 1000"),  # a burst of 500s is slept through
        ("|probes|reference\"}[5m])\n              ) > 0.01", "|reference\"}[5m])\n              ) > 0.01"),
        ('unless max by (namespace, job, model) (ekiben_canary_share) > 0', ""),
        ("for: 15m", "for: 1m"),  # a roll-out rings
    ],
)  # fmt: skip
def test_an_alert_that_is_wrong_fails_them(tmp_path: Path, right: str, wrong: str) -> None:
    shutil.copytree(MONITORING, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "alerts.yml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "alerts.yml").write_text(text.replace(right, wrong), encoding="utf-8")
    assert run(tmp_path).returncode != 0


def find_cases() -> tuple[set[str], set[str]]:
    """Return which alerts ring in some test, and which are silent in one in which another rings or all are silent."""
    ring: set[str] = set()
    silent: set[str] = set()
    for path in (MONITORING / "tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            series = " ".join(one["series"] for one in test["input_series"])
            asked = [
                name for name, rule in rules().items() if set(find_series(rule["expr"])) & set(find_series(series))
            ]
            for case in (*test.get("promql_expr_test", ()), *test.get("alert_rule_test", ())):
                rung = set(re.findall(r"Ekiben\w+", str(case.get("exp_samples") or "")))
                rung |= {case["alertname"]} if case.get("exp_alerts") else set()
                ring |= rung
                silent |= set(asked) - rung
    return ring, silent


def find_series(expression: str) -> list[str]:
    return re.findall(r"\b(?:ekiben|kube|process)_\w+|\bup\b", expression)


def test_every_alert_has_a_case_that_rings_and_one_that_does_not() -> None:
    ring, silent = find_cases()
    assert ring == rules().keys()
    assert silent == rules().keys()


def test_every_alert_is_of_one_service_and_says_what_to_do() -> None:
    for name, rule in rules().items():
        groups = GROUPED.findall(rule["expr"])
        assert groups, name
        assert all(group.startswith("namespace, job") for group in groups), name
        assert rule["labels"]["severity"] in ("critical", "warning")
        said = rule["annotations"]
        assert said.keys() == {"summary", "description", "runbook_url"}, name
        assert "{{ with $labels.namespace }}{{ . }}/{{ end }}{{ $labels.job }}" in said["summary"], name


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    urls = {name: rule["annotations"]["runbook_url"] for name, rule in rules().items()}
    assert urls == {name: f"https://docs.example.com/ekiben/runbooks/{name}.html" for name in urls}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == urls.keys()
    for name in urls:
        text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {name}\n")
        assert re.findall(r"^## (.*)", text, re.MULTILINE) == ["Look at", "Do"], name
