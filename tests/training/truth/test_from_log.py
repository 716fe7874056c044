"""Logged rows and their labels as a training table: the values that the service saw, and what is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table, read_table
from ekiben.training.truth.folder import InvalidLog
from ekiben.training.truth.training_table import LogTable, open_logged
from tests.row_log import later, name_rows, split_rows, spread, write_labels, write_rows

ROWS = 400
random = np.random.default_rng(1)
SCHEMA = Schema(
    name="shop",
    features=(
        Number(name="price", low=-1e6, high=1e6, nullable=True, decimal=",", null=("-999",)),
        Category(name="colour", vocabulary=("", "blue", "red"), nullable=True, null=("unknown",)),
        Boolean(name="sale", nullable=True),
        Timestamp(name="seen", format="%d.%m.%Y %H:%M", nullable=True),
        Timestamp(name="sold", zoned=True),
    ),
    target=Target(name="paid", classes=("no", "yes")),
)
PROBLEM = ProblemConfig.model_validate(
    {
        "name": "shop",
        "source": {"path": "shop.csv"},
        "target": {"name": "paid", "task": "binary"},
        "split": {"time": "day", "validate_from": "2020-01-01", "test_from": "2020-02-01"},
        "slices": ["colour", "shop"],
        "features": {
            "price": {"kind": "number", "decimal": ",", "null": ["-999"], "nullable": True},
            "colour": {"kind": "category", "null": ["unknown"], "nullable": True},
            "sale": {"kind": "boolean", "nullable": True},
            "seen": {"kind": "timestamp", "format": "%d.%m.%Y %H:%M", "nullable": True},
            "sold": {"kind": "timestamp", "zoned": True},
        },
    }
)
MOMENTS = pd.Series(pd.date_range("2026-11-01 08:30", periods=ROWS, freq="37min"))
PRICES = [None if index % 9 == 0 else -999.0 if index % 9 == 1 else index + 0.5 for index in range(ROWS)]
COLOURS = random.choice(np.array(["blue", "red", "unknown", None], object), ROWS).tolist()
SALES = random.choice(np.array([True, False, None], object), ROWS).tolist()
FEATURES: dict[str, Any] = {
    "price": PRICES,
    "colour": COLOURS,
    "sale": SALES,
    "seen": MOMENTS.to_list(),
    "sold": MOMENTS.to_list(),
}
PAID = random.choice(["no", "yes"], ROWS).tolist()


def log_shop(folder: Path, labelled: int = ROWS, shares: tuple[float, float] = (1.0, 1.0), **replaced: Any) -> None:
    """Write two parts of rows of two versions, and the labels of the first rows."""
    ids, times = name_rows(ROWS), spread(ROWS)
    features = {name: values for name, values in (FEATURES | replaced).items() if values is not None}
    for number, rows in enumerate(split_rows(ROWS, 2)):
        write_rows(
            folder, np.full(ROWS, 0.5)[rows], {name: values[rows] for name, values in features.items()},
            ids=ids[rows], times=times[rows], version=str(number + 1), share=shares[number], target="paid",
        )  # fmt: skip
    if labelled:
        write_labels(folder, ids[:labelled], PAID[:labelled], later(times[:labelled], 3))


def read(folder: Path, accept_change: bool = False, **named: str) -> tuple[ProblemConfig, Table]:
    problem, source = open_logged(PROBLEM, SCHEMA, LogTable(str(folder), **named), accept_change)
    return problem, read_table(problem, lambda _: None, logged=source)


def test_values_are_those_that_the_service_saw(tmp_path: Path) -> None:
    log_shop(tmp_path)
    problem, table = read(tmp_path)
    frame = table.frame
    assert table.parse_failures == ()
    assert frame["price"].dtype == np.float32
    assert frame["price"].tolist()[1] == -999.0, "a number in the log is a number, whatever the table writes for null"
    assert np.array_equal(frame["price"], np.array(PRICES, np.float32), equal_nan=True)
    missing = [None if colour == "unknown" else colour for colour in COLOURS]
    assert [None if pd.isna(value) else value for value in frame["colour"]] == missing, "as the encoder has it"
    assert [None if pd.isna(value) else value for value in frame["sale"]] == SALES
    assert frame["seen"].tolist() == MOMENTS.tolist()
    assert frame["sold"].tolist() == MOMENTS.dt.tz_localize("UTC").tolist()
    assert frame["paid"].tolist() == PAID
    assert frame["day"].tolist() == [time.replace(microsecond=0, tzinfo=None) for time in spread(ROWS)]
    assert problem.split.time == "day", "the time of the answer, where the time to split by is no feature"
    assert problem.split.test_from is None, "dates of another table's split say nothing of these rows"
    assert problem.slices == ("colour",)


def test_what_callers_of_the_champion_may_send_the_next_version_takes(tmp_path: Path) -> None:
    log_shop(tmp_path)
    champion = SCHEMA.features[SCHEMA.names.index("price")]
    promised = read(tmp_path)[0].features["price"]
    assert (promised.low, promised.high, promised.nullable) == (champion.low, champion.high, champion.nullable)
    declared = PROBLEM.features["price"].model_copy(update={"high": 7.0})
    problem = PROBLEM.model_copy(update={"features": {**PROBLEM.features, "price": declared}})
    changed, _ = open_logged(problem, SCHEMA, LogTable(str(tmp_path)), False)
    assert (changed.features["price"].low, changed.features["price"].high) == (champion.low, 7.0)


def test_unlabelled_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    log_shop(tmp_path, labelled=250)
    _, table = read(tmp_path)
    assert len(table.frame) == 250
    assert "left out: 150 rows without a label" in table.notes


def test_no_label_at_all(tmp_path: Path) -> None:
    log_shop(tmp_path, labelled=0)
    with pytest.raises(InvalidLog, match=r"none of the 400 rows logged in .* has a label yet: send labels to POST"):
        read(tmp_path)


def test_a_users_table_of_labels(tmp_path: Path) -> None:
    log_shop(tmp_path, labelled=0)
    labels = tmp_path / "paid.csv"
    pd.DataFrame({"id": [*name_rows(ROWS)[:200], "none"], "label": [*PAID[:200], "yes"]}).to_csv(labels, index=False)
    _, table = read(tmp_path, labels=str(labels))
    assert table.frame["paid"].tolist() == PAID[:200]
    assert "1 label of ids that were not logged" in table.notes


def test_a_row_that_was_logged_twice_is_one(tmp_path: Path) -> None:
    log_shop(tmp_path)
    features = {name: values[:10] for name, values in FEATURES.items()}
    write_rows(tmp_path, np.full(10, 0.5), features, ids=name_rows(10), version="3", target="paid")
    _, table = read(tmp_path)
    assert len(table.frame) == ROWS
    assert "left out: 10 rows whose id was logged before" in table.notes


def test_shares_are_said(tmp_path: Path) -> None:
    log_shop(tmp_path, shares=(0.1, 0.5))
    _, table = read(tmp_path)
    assert "the log holds 10.0% to 50.0% of the rows that were answered: each counts once in training" in table.notes


HASHES = [f"{index % 3:016x}" for index in range(ROWS)]


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"price": None}, "`price` is dropped in "),
        ({"price": HASHES}, "`price` is hashed in "),
        ({"colour": HASHES}, "`colour` is hashed in "),
        ({"colour": HASHES, "sold": None}, "`colour` is hashed, `sold` is dropped in "),
    ],
)
def test_what_the_log_does_not_hold_is_said(replaced: dict[str, Any], said: str, tmp_path: Path) -> None:
    log_shop(tmp_path, **replaced)
    with pytest.raises(InvalidLog) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("log it as it is, or train without it by --accept-schema-change")
    problem, table = read(tmp_path, accept_change=True)
    assert problem.features.keys() == PROBLEM.features.keys() - replaced.keys()
    assert not replaced.keys() & set(table.frame)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "`shop` (no slices by it)"),
        ({"weight": "stands_for", "slices": ()}, "`stands_for` (each row counts once)"),
        (
            {"split": {"group": "buyer"}, "fairness": {"groups": ("town", "colour")}},
            "`buyer` (its rows may be in two parts), `shop` (no slices by it), `town` (no groups by it)",
        ),
        ({"slices": ("colour",)}, ""),
    ],
)
def test_so_is_a_column_that_is_no_feature(
    changed: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_shop(tmp_path)
    problem = ProblemConfig.model_validate(PROBLEM.model_dump(exclude_unset=True) | changed)
    open_logged(problem, SCHEMA, LogTable(str(tmp_path)), False)
    assert capsys.readouterr().out == (f"no feature, so not in the log: {said}\n" if said else "")


def test_a_part_without_a_feature_is_named(tmp_path: Path) -> None:
    log_shop(tmp_path)
    write_rows(tmp_path, np.full(4, 0.5), {"price": [1.0] * 4}, ids=["a", "b", "c", "d"], version="0", target="paid")
    _, table = read(tmp_path)
    assert len(table.frame) == ROWS
    assert any("it has no column `colour`" in note for note in table.notes)


def test_without_a_champion(tmp_path: Path) -> None:
    log_shop(tmp_path)
    with pytest.raises(InvalidLog, match="a log is read by its model's schema, and `shop` has no champion"):
        open_logged(PROBLEM, None, LogTable(str(tmp_path)), accept_change=False)


def test_numbers_to_predict(tmp_path: Path) -> None:
    log_shop(tmp_path, labelled=0)
    for path in tmp_path.glob("rows-*"):
        path.unlink()
    target = Target(name="total", task="regression", scale=3.0)
    write_rows(tmp_path, np.full(ROWS, 0.5), FEATURES, target="total")
    totals = [16_777_217.0, *random.normal(0, 3, ROWS - 1).tolist()]
    write_labels(tmp_path, name_rows(ROWS), totals, later(spread(ROWS), 3))
    problem = PROBLEM.model_copy(update={"target": replace_target(target)})
    schema = SCHEMA.model_copy(update={"target": target})
    problem, source = open_logged(problem, schema, LogTable(str(tmp_path)), accept_change=False)
    assert read_table(problem, lambda _: None, logged=source).frame["total"].tolist() == totals


def replace_target(target: Target) -> Any:
    return PROBLEM.target.model_copy(update={"name": target.name, "task": target.task})


def test_tables_of_the_same_rows_are_equal(tmp_path: Path) -> None:
    """The frame from the log is the frame from the table that the rows came from."""
    table = tmp_path / "shop.csv"
    written = {
        "price": ["" if price is None or price == -999.0 else f"{price}".replace(".", ",") for price in PRICES],
        "colour": ["" if colour is None else colour for colour in COLOURS],
        "sale": ["" if sale is None else str(sale) for sale in SALES],
        "seen": MOMENTS.dt.strftime("%d.%m.%Y %H:%M"),
        "sold": MOMENTS.dt.strftime("%Y-%m-%dT%H:%M+00:00"),
        "paid": PAID,
    }
    pd.DataFrame(written).to_csv(table, index=False)
    split = PROBLEM.split.model_copy(update={"time": None, "validate_from": None, "test_from": None})
    source = PROBLEM.source.model_copy(update={"path": table})
    problem = PROBLEM.model_copy(update={"source": source, "split": split, "slices": ("colour",)})
    prices = [None if price == -999.0 else price for price in PRICES]  # as the service has read them
    log_shop(tmp_path, price=prices)
    changed, logged = open_logged(problem, SCHEMA, LogTable(str(tmp_path)), accept_change=False)
    read_again = read_table(changed, lambda _: None, logged=logged)
    pd.testing.assert_frame_equal(
        read_again.frame, read_table(problem, lambda _: None).frame, check_categorical=False, check_like=True
    )


def test_a_part_that_holds_hashes_is_named(tmp_path: Path) -> None:
    log_shop(tmp_path)
    features = {name: values[:4] for name, values in (FEATURES | {"colour": HASHES}).items()}
    write_rows(tmp_path, np.full(4, 0.5), features, ids=["a", "b", "c", "d"], version="3", target="paid")
    _, table = read(tmp_path)
    assert len(table.frame) == ROWS
    assert any("is left out: `colour` is hashed in it" in note for note in table.notes)


def test_a_feature_called_as_a_column_of_the_log(tmp_path: Path) -> None:
    schema = Schema(name="shop", features=(Number(name="time", low=0, high=1000),), target=SCHEMA.target)
    problem = PROBLEM.model_copy(update={"features": {"time": PROBLEM.features["price"]}, "slices": ()})
    write_rows(tmp_path, np.full(ROWS, 0.5), {"feature.time": np.arange(ROWS, dtype=float)}, target="paid")
    write_labels(tmp_path, name_rows(ROWS), PAID, later(spread(ROWS), 3))
    changed, source = open_logged(problem, schema, LogTable(str(tmp_path)), accept_change=False)
    assert read_table(changed, lambda _: None, logged=source).frame["time"].tolist() == list(range(ROWS))
