"""`ekiben drift` judges whole days: what it prints of them, and what it exits with."""

import hashlib
import json
from html import escape
from pathlib import Path

import pytest

from ekiben.commands.__main__ import main
from ekiben.contract.reference.reference import REFERENCE_FILE
from tests.alarm_days import DAYS, FAULTS, count_days, learn, make_days, make_snapshot

Capture = pytest.CaptureFixture[str]


def save_days(folder: Path, fault: str | None) -> list[str]:
    """Save two services' days, each of half of the rows, and return what the command is given."""
    schema, reference = learn()
    reference.save(folder / REFERENCE_FILE)
    digest = hashlib.sha256((folder / REFERENCE_FILE).read_bytes()).hexdigest()
    frame = make_days(DAYS, 3)
    frame = FAULTS[fault][1](frame) if fault else frame
    for source in ("a", "b"):
        half = frame.iloc[int(source == "b") :: 2]
        windows = list(count_days(schema, reference, half, source))
        (folder / f"{source}.json").write_text(make_snapshot(windows, digest).model_dump_json())
    return ["drift", str(folder / "a.json"), str(folder / "b.json"), "--reference", str(folder / REFERENCE_FILE)]


def test_honest_days_exit_with_0(tmp_path: Path, capsys: Capture) -> None:
    assert main(save_days(tmp_path, None)) == 0
    assert "  2026-05-03 (UTC): no alarm" in capsys.readouterr().out


def test_an_alarm_exits_with_3_and_is_named_in_every_form(tmp_path: Path, capsys: Capture) -> None:
    command = save_days(tmp_path, "swapped kinds")
    assert main(command) == 3
    assert "  alarm: kind with price: values fit each other by" in capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 3
    (alarm,) = json.loads(capsys.readouterr().out)["alarms"]["alarms"]
    assert (alarm["feature"], alarm["partner"], alarm["statistic"], alarm["windows"]) == ("kind", "price", "fit", 2)
    page = tmp_path / "page.html"
    assert main([*command, "--format", "html", "-o", str(page)]) == 3
    assert f'<p class="large"><b>alarm: {escape(alarm["text"])}</b></p>' in page.read_text()


def test_the_setting_moves_the_threshold(tmp_path: Path, capsys: Capture) -> None:
    command = [*save_days(tmp_path, None), "--format", "json", "--false-alarms"]
    thresholds = []
    for rate in ("0", "30"):
        main([*command, rate])
        thresholds.append(json.loads(capsys.readouterr().out)["alarms"]["threshold"])
    assert thresholds[0] > thresholds[1]


@pytest.mark.parametrize("rate", ["-1", "nan", "many"])
def test_a_wrong_rate_is_rejected(rate: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["drift", "a.json", f"--false-alarms={rate}"])
    assert "expected a number from 0 on" in capsys.readouterr().err
