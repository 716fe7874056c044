"""A table on disk whose rows count differently, and one whose split only memory can hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ekiben.contract.errors import InvalidTable, UserError
from ekiben.training.checks.gate import reject_unparseable
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import PreparedOnDisk, prepare_on_disk
from ekiben.training.streaming.scratch import Room, open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import Table, read_table
from ekiben.training.versions.snapshots import keep_table, load_table
from tests.kept_tables import make_problem, make_rows
from tests.training.streaming.conftest import LITTLE

ROWS = 140_000  # two groups and a part of one
RANDOM = np.random.default_rng(4)
WEIGHTS = RANDOM.integers(0, 4, ROWS) / 2
FEATURES = {"amount": {"kind": "number"}, "city": {"kind": "category"}}
DATES = {"time": "when", "validate_from": "2020-03-01", "test_from": "2020-04-01"}


def write(folder: Path, weights: pa.Array, **changes: Any) -> ProblemConfig:
    """Write a table with a time and with these weights, and return the problem of predicting it."""
    random = np.random.default_rng(1)
    moments = np.datetime64("2020-01-01", "s") + random.integers(0, 120 * 86_400, ROWS)
    late = pa.array(random.random(ROWS) < 0.3, mask=random.random(ROWS) < 0.01)
    table = make_rows(ROWS).select(["amount", "city"]).append_column("late", late)
    table = table.append_column("when", pa.array(moments, mask=random.random(ROWS) < 0.01))
    days = moments.astype("datetime64[D]").astype(object)
    for part in ("year", "month", "day"):
        table = table.append_column(part, pa.array([getattr(day, part) for day in days]))
    parquet.write_table(table.append_column("w", weights), folder / "t.parquet")
    return make_problem(folder / "t.parquet", **({"features": FEATURES, "split": DATES, "weight": "w"} | changes))


def read_on_disk(problem: ProblemConfig, room: Room) -> Table:
    table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    assert table.on_disk
    return table


def prepare_from_disk(problem: ProblemConfig, room: Room, said: list[str]) -> PreparedOnDisk:
    return prepare_on_disk(problem, read_on_disk(problem, room), room, said.append)


def test_rows_count_on_disk_as_in_memory(tmp_path: Path, room: Room) -> None:
    problem, said, said_on_disk = write(tmp_path, pa.array(WEIGHTS)), list[str](), list[str]()
    in_memory = prepare(problem, read_table(problem, lambda _: None), say=said.append)
    on_disk = prepare_from_disk(problem, room, said_on_disk)
    assert on_disk.schema == in_memory.schema
    assert on_disk.table.digest == in_memory.table.digest
    assert on_disk.parts.sizes == in_memory.parts.sizes
    assert on_disk.rows.weights is not None
    assert in_memory.weights[0] is not None
    np.testing.assert_array_equal(on_disk.rows.weights[:], in_memory.weights[0])
    np.testing.assert_array_equal(on_disk.rows.labels[:], in_memory.labels[0])
    for weights, part in zip(on_disk.weights[1:], (on_disk.parts.validation, on_disk.parts.test), strict=True):
        np.testing.assert_array_equal(weights, part["w"])
    assert said_on_disk[: len(said)] == said
    assert any("whose `w` is 0" in line for line in said)


def test_without_weights_none_are_written(tmp_path: Path, room: Room) -> None:
    on_disk = prepare_from_disk(write(tmp_path, pa.array(WEIGHTS), weight=None), room, [])
    assert on_disk.rows.weights is None
    assert on_disk.weights == (None, None, None)


def spoil(row: int, value: Any) -> pa.Array:
    weights = (WEIGHTS + 1).tolist()
    weights[row] = value
    return pa.array(map(str, weights)) if isinstance(value, str) else pa.array(weights)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (spoil(100_000, -1.0), "row 100,001 has the `w` -1: a row can't stand for fewer than none"),
        (spoil(100_000, None), "row 100,001 has no `w`: write 1 for a row that counts as itself"),
        (
            spoil(100_000, np.inf),
            "`w`: can't be read as a number in 1 of 140,000 rows (< 0.01%), first in row 100,001: 'inf'",
        ),
        (spoil(100_000, "heavy"), "`w`: can't be read as a number in 1 of 140,000 rows"),
        (pa.array(np.zeros(ROWS)), "`w` is 0 in all "),
    ],
)
def test_a_weight_that_is_none_is_named_as_in_memory(weights: pa.Array, message: str, tmp_path: Path) -> None:
    problem, sentences = write(tmp_path, weights), []
    for way in (lambda: read_table(problem, lambda _: None), lambda: read_with_little(problem)):
        with pytest.raises(InvalidTable) as caught:
            reject_unparseable(way())
        sentences.append(str(caught.value))
    assert message in sentences[0]
    assert sentences[0] == sentences[1]


def read_with_little(problem: ProblemConfig) -> Table:
    with open_room(LITTLE) as room:
        return read_on_disk(problem, room)


@pytest.mark.parametrize(
    ("split", "entry", "instead"),
    [
        ({"group": "city"}, "group", "leave `group` out"),
        ({"group": "city", **DATES}, "group", "leave `group` out"),
        ({"time": ["year", "month", "day"]}, "time of several columns", "put the time into one column"),
    ],
)
def test_a_split_that_needs_memory_says_how_much_before_anything_is_written(
    split: Any, entry: str, instead: str, tmp_path: Path, room: Room
) -> None:
    features = {"amount": FEATURES["amount"]}
    problem = write(tmp_path, pa.array(WEIGHTS + 1), split=split, features=features)
    with pytest.raises(UserError) as caught:
        read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    assert str(caught.value).startswith(f"[split] {entry}: it needs the whole table in memory, whose rows take about ")
    assert str(caught.value).endswith(f"give --memory 1.3GB, or {instead}")
    assert "\n" not in str(caught.value)
    assert not list(room.folder.glob("*.parquet"))
    assert read_table(problem, lambda _: None).rows > 0  # with memory enough


def test_a_kept_table_has_its_moments_and_is_split_by_them_on_disk(tmp_path: Path, room: Room) -> None:
    split, features = {"time": ["year", "month", "day"]}, {"amount": FEATURES["amount"]}
    problem = write(tmp_path, pa.array(WEIGHTS + 1), split=split, features=features)
    in_memory = read_table(problem, lambda _: None)
    digest = keep_table(in_memory)
    on_disk = load_table(problem, digest, SpillToDisk(problem, room, lambda _: None))
    assert on_disk.on_disk
    assert on_disk.digest == in_memory.digest
    prepared = prepare_on_disk(problem, on_disk, room, lambda _: None)
    assert prepared.parts.sizes == prepare(problem, in_memory, say=lambda _: None).parts.sizes
