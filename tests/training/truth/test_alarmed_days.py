"""Days with alarms are no part of the next training table, unless the user says so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.training.checks.alarms.learning import learn_alarms
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table, read_table
from ekiben.training.truth import training_table
from ekiben.training.truth.folder import InvalidLog
from ekiben.training.truth.training_table import LogTable, open_logged
from tests.row_log import MONDAY, later, spread, write_labels, write_rows

DAYS, ROWS_A_DAY = 20, 200
ROWS = DAYS * ROWS_A_DAY
SCHEMA = Schema(
    name="shop",
    features=(
        Number(name="price", low=-1e6, high=1e6, nullable=True),
        Category(name="colour", vocabulary=("blue", "red")),
        Boolean(name="sale"),
        Timestamp(name="seen"),
        Number(name="weight", low=-1e6, high=1e6),
    ),
    target=Target(name="paid", classes=("no", "yes")),
)
PROBLEM = ProblemConfig.model_validate(
    {
        "name": "shop",
        "source": {"path": "shop.csv"},
        "target": {"name": "paid", "task": "binary"},
        "features": {
            "price": {"kind": "number", "nullable": True},
            "colour": {"kind": "category"},
            "sale": {"kind": "boolean"},
            "seen": {"kind": "timestamp"},
            "weight": {"kind": "number"},
        },
    }
)
IDS = [f"{index}" for index in range(ROWS)]


def draw(days: int, begins: datetime, seed: int) -> dict[str, Any]:
    random, rows = np.random.default_rng(seed), days * ROWS_A_DAY
    times = [begins.replace(tzinfo=None) + timedelta(days=days) * index / rows for index in range(rows)]
    return {
        "price": random.normal(20, 5, rows).round(1),
        "colour": random.choice(["blue", "red"], rows, p=[0.7, 0.3]),
        "sale": random.random(rows) < 0.2,
        "seen": times,
        "weight": random.normal(size=rows),
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    """What training saw in the 60 days before."""
    frame = pd.DataFrame(draw(60, MONDAY - timedelta(days=60), 1))
    frame["seen"] = frame["seen"].astype("datetime64[s]")
    frame["colour"] = frame["colour"].astype("category")
    frame["paid"] = pd.Categorical(["no", "yes"] * (len(frame) // 2))
    learned = learn_alarms(SCHEMA, learn_reference(SCHEMA, tuple(frame), frame), frame, "seen")
    assert learned.alarms is not None
    return learned


def log_days(folder: Path, faulty: range | tuple[int, ...] = (), labelled: int = ROWS, **dropped: None) -> None:
    """Write a log in whose faulty days prices are tenths."""
    features = draw(DAYS, MONDAY, 2)
    day = np.arange(ROWS) // ROWS_A_DAY
    features["price"] = np.where(np.isin(day, list(faulty)), features["price"] / 10, features["price"])
    kept = {name: values for name, values in features.items() if name not in dropped}
    times = spread(ROWS, DAYS)
    for number, rows in enumerate((slice(0, 1300), slice(1300, ROWS))):
        part = {name: values[rows] for name, values in kept.items()}
        write_rows(
            folder, np.full(len(IDS[rows]), 0.5), part, ids=IDS[rows], times=times[rows], number=number, target="paid"
        )
    write_labels(folder, IDS[:labelled], ["no", "yes"] * (labelled // 2), later(times[:labelled], 1))


def read(folder: Path, reference: Reference | None, accept_change: bool = False, force: bool = False) -> Table:
    problem, source = open_logged(PROBLEM, SCHEMA, LogTable(str(folder), force=force), accept_change, reference)
    return read_table(problem, lambda _: None, logged=source)


def count_days(table: Table) -> list[int]:
    days = (table.frame["seen"] - MONDAY.replace(tzinfo=None)).dt.days
    return sorted(set(range(DAYS)) - set(days))


def test_days_with_alarms_are_left_out_and_said(tmp_path: Path, reference: Reference) -> None:
    log_days(tmp_path, range(8, 11))
    table = read(tmp_path, reference)
    assert count_days(table) == [8, 9, 10, 11], "the last is the day on which it jumped back"
    assert table.notes[-1] == (
        "left out: 800 labelled rows of 4 days with alarms (2026-11-10 to 2026-11-13, UTC: `price`); "
        "--force trains on them, if the change is meant"
    )


def test_honest_days_are_kept(tmp_path: Path, reference: Reference) -> None:
    log_days(tmp_path)
    table = read(tmp_path, reference)
    assert count_days(table) == []
    assert not any("alarm" in note for note in table.notes)


def test_rows_without_labels_show_a_fault_too(tmp_path: Path, reference: Reference) -> None:
    log_days(tmp_path, range(8, 11), labelled=1650)  # a quarter of the first day's, and none of the others'
    assert count_days(read(tmp_path, reference)) == list(range(8, DAYS))


@pytest.mark.parametrize("spared", ["force", "no reference"])
def test_who_means_the_change_trains_on_all_days(tmp_path: Path, reference: Reference, spared: str) -> None:
    log_days(tmp_path, range(8, 11))
    forced = spared == "force"
    assert count_days(read(tmp_path, reference if forced else None, force=forced)) == []


def test_nothing_but_days_with_alarms_is_one_sentence(tmp_path: Path, reference: Reference) -> None:
    log_days(tmp_path, range(DAYS))
    with pytest.raises(InvalidLog) as caught:
        read(tmp_path, reference)
    assert str(caught.value) == (
        "all that could be trained on is 4,000 labelled rows of 20 days with alarms (2026-11-02 to 2026-11-21, UTC: "
        "`price`): --force trains on them, if the change is meant"
    )


def test_the_day_that_is_not_over_is_as_the_days_before(
    tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(2026, 11, 21, 12, tzinfo=UTC)

    monkeypatch.setattr(training_table, "datetime", Clock)
    log_days(tmp_path, range(15, 17))
    assert count_days(read(tmp_path, reference)) == [15, 16, 17], "the last whole day was as ever"
    log_days(tmp_path, range(17, DAYS))
    assert count_days(read(tmp_path, reference)) == [17, 18, 19]


def test_a_feature_that_the_log_does_not_hold_is_not_judged(tmp_path: Path, reference: Reference) -> None:
    log_days(tmp_path, range(8, 11), weight=None)
    table = read(tmp_path, reference, accept_change=True)
    assert count_days(table) == [8, 9, 10, 11]
    assert "`price`)" in table.notes[-1]
