"""`ekiben alarms`: what it prints of later days, and what it can't work with; and how edges are learned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.commands.__main__ import main
from ekiben.contract.reference.alarms.statistics import Measured
from ekiben.training.checks.alarms.familiar import ValueCounts
from ekiben.training.checks.alarms.growth import cut_measured, settle
from ekiben.training.checks.alarms.pairs import measure_information
from ekiben.training.checks.alarms.windows import MAX_DAYS, cut_windows
from tests.alarm_days import DAYS, FEATURES, make_days

Capture = pytest.CaptureFixture[str]


def write_problem(folder: Path, table: pd.DataFrame, split: str = '[split]\ntime = "sold"\n') -> Path:
    table.to_parquet(folder / "shop.parquet")
    features = "".join(f"[features.{name}]\n{_spell(facts)}" for name, facts in FEATURES.items())
    path = folder / "problem.toml"
    path.write_text(
        f'name = "shop"\n[source]\npath = "shop.parquet"\n[target]\nname = "late"\ntask = "binary"\n{split}{features}',
        encoding="utf-8",
    )
    return path


def _spell(facts: dict[str, Any]) -> str:
    """Write facts as TOML, of which JSON's strings and booleans are part."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in facts.items())


def test_the_table_has_honest_days_and_every_fault(tmp_path: Path, capsys: Capture) -> None:
    problem = write_problem(tmp_path, make_days(0, DAYS + 10))
    assert main(["alarms", "--problem", str(problem), "--since", "2026-05-01"]) == 0
    first, second, blank, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("learned from 120 days of `sold`; 1 false alarms a month: a score of ")
    assert second.startswith("the 9 later days as they are: an alarm on 0, notes on ")
    assert (blank, lines[0].split("|")[1:3]) == ("", [" feature ", " fault "])
    shown = {tuple(line.split("| ")[1:4]) for line in lines[2:]}
    for fault in ("°F → °C", "all missing", "stuck all day"):
        assert ("`heat` ", f"{fault} ", "100% ") in shown
    assert sum("↔" in line for line in lines) == 3 + 1


@pytest.mark.parametrize(
    ("split", "days", "sentence"),
    [
        ("", DAYS, "alarms are tried on later days than they know: name the table's time column as [split] time"),
        ('[split]\ntime = "sold"\n', 4, "`sold`: rows before 2026-01-03 and of 3 days from then on are needed"),
        ('[split]\ntime = "sold"\n', 11, "of 3 days from then on are needed"),
    ],
)
def test_what_has_no_later_days_is_said(tmp_path: Path, capsys: Capture, split: str, days: int, sentence: str) -> None:
    problem = write_problem(tmp_path, make_days(0, days, rows=20), split)
    since = ["--since", "2026-01-11"] if days == 11 else []
    assert main(["alarms", "--problem", str(problem), *since]) == 2
    assert sentence in capsys.readouterr().err


def test_a_day_that_is_none_is_rejected(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["alarms", "--since", "October"])
    assert "expected a day such as 2013-10-01, got 'October'" in capsys.readouterr().err


def test_days_are_utcs_and_the_latest_are_kept() -> None:
    times = pd.date_range("2020-01-01", periods=MAX_DAYS + 50, freq="D", tz="UTC") - pd.Timedelta(minutes=1)
    frame = pd.DataFrame({"sold": times.tz_convert("Asia/Tokyo")}).sample(frac=1, random_state=1)
    windows = cut_windows(frame, "sold", 10_000)
    assert windows is not None
    assert (windows.count, windows.time) == (MAX_DAYS, "sold")
    assert np.array_equal(windows.of_row, np.arange(MAX_DAYS))
    assert frame["sold"].iloc[windows.rows[-1]] == times[-1]


def test_few_days_are_cut_into_blocks_in_the_order_of_time() -> None:
    frame = pd.DataFrame({"sold": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(1200)[::-1], unit="min")})
    windows = cut_windows(frame, "sold", 10_000)
    assert windows is not None
    assert (windows.count, windows.time) == (24, None)
    assert windows.rows[0] == 1199
    assert cut_windows(frame[:500], "sold", 10_000) is None


def test_what_was_never_seen_is_not_familiar_beforehand() -> None:
    values = np.repeat(np.arange(4, dtype=np.float32), 10)
    of_row = np.repeat(np.arange(4), 10)
    (fold,) = ValueCounts(values, of_row, 4).fold([(2, 4)])
    assert (fold.before.values > 0).all()
    assert (fold.after.values < 0).all()


def test_what_follows_a_trend_gets_a_wider_unit_than_what_stays() -> None:
    cuts = [(cut, cut + 10) for cut in (20, 30, 40)]
    steady = Measured(np.tile([0.0, 1.0], 25), np.full(50, 0.01))
    rising = Measured(np.linspace(0, 1, 50), np.full(50, 0.01))
    units = [settled.edge.unit for one in (steady, rising) if (settled := settle("mean", one, cut_measured(one, cuts)))]
    assert units[0] == pytest.approx(0.25, rel=0.1)
    assert units[1] > 1.3 * units[0]


def test_of_what_was_never_measured_nothing_is_learned() -> None:
    never = Measured(np.full(9, np.nan), np.full(9, np.nan))
    assert settle("mean", never, cut_measured(never, [(3, 6)])) is None


def test_mutual_information_is_that_of_shannon_and_none_by_chance() -> None:
    assert measure_information(np.array([[10**6, 0], [0, 10**6]])) == pytest.approx(np.log(2), rel=1e-4)
    assert measure_information(np.random.default_rng(1).multinomial(500, [0.01] * 100).reshape(10, 10)) < 0.03
