"""A table that is larger than memory: what is learned from it on disk is what is learned from it in memory."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidTable
from ekiben.model.provenance import load_provenance
from ekiben.training.checks.skew import find_skews
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import PreparedOnDisk, prepare_on_disk
from ekiben.training.streaming.scratch import NoRoom, Room, open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import Table, read_table
from ekiben.training.versions.snapshots import keep_table, load_table
from tests.big_table import write_problem, write_table
from tests.conftest import ROOT, run, stores_in
from tests.kept_tables import FEATURES, make_problem, make_rows
from tests.small_disk import small_disk
from tests.training.streaming.conftest import LITTLE

ROWS = 140_000  # two groups and a part of one
TIME = {"time": "when"}
DATES = {"time": "when", "validate_from": "2020-03-01", "test_from": "2020-04-01"}


def write(path: Path, table: pa.Table, **changes: Any) -> ProblemConfig:
    """Write a table, and return the problem of predicting it."""
    parquet.write_table(table, path)
    return make_problem(path, **changes)


def make_table(rows: int = ROWS) -> pa.Table:
    """Return rows of every kind with a time that is not their order, some without target or time."""
    random = np.random.default_rng(1)
    table = make_rows(rows)
    moments = np.datetime64("2020-01-01", "s") + random.integers(0, 120 * 86_400, rows)
    late = [(True, False, None)[index] for index in random.choice(3, rows, p=(0.3, 0.6, 0.1))]
    ratings = pa.array([("1.0", "2", "3.0")[index] for index in random.integers(0, 3, rows)])
    table = table.set_column(table.schema.names.index("late"), "late", pa.array(late))
    table = table.append_column("when", pa.array(moments, mask=random.random(rows) < 0.01))
    return table.append_column("rating", ratings).append_column("zero", pa.array(np.zeros(rows) * -1.0))


def read_both(problem: ProblemConfig, room: Room) -> tuple[Table, Table]:
    """Return a table in memory, and on disk."""
    in_memory = read_table(problem, lambda _: None)
    on_disk = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    assert on_disk.on_disk
    assert not in_memory.on_disk
    return in_memory, on_disk


def prepare_in_memory(problem: ProblemConfig, room: Room) -> Prepared:
    return prepare(problem, read_table(problem, lambda _: None), say=lambda _: None)


def prepare_from_disk(problem: ProblemConfig, room: Room) -> Prepared:
    table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    return prepare_on_disk(problem, table, room, lambda _: None)


def prepare_both(problem: ProblemConfig, room: Room) -> tuple[Prepared, PreparedOnDisk, list[str], list[str]]:
    """Return both ways to prepare a table, and what each said."""
    said: tuple[list[str], list[str]] = ([], [])
    in_memory, on_disk = read_both(problem, room)
    return (
        prepare(problem, in_memory, say=said[0].append),
        prepare_on_disk(problem, on_disk, room, said[1].append),
        *said,
    )


MORE = {**FEATURES, "rating": {"kind": "category"}, "zero": {"kind": "number"}}


@pytest.mark.parametrize("split", [TIME, DATES], ids=["by shares", "by dates"])
def test_the_schema_the_parts_and_the_digest_are_those_in_memory(split: Any, tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=split)
    in_memory, on_disk, said, said_on_disk = prepare_both(problem, room)
    assert on_disk.schema == in_memory.schema
    assert on_disk.schema.digest == in_memory.schema.digest
    assert on_disk.parts.sizes == in_memory.parts.sizes
    assert on_disk.table.digest == in_memory.table.digest
    assert said_on_disk[: len(said)] == said
    assert any("without `late`" in line for line in said)
    assert on_disk.table.find_ends("when") == in_memory.table.find_ends("when")
    assert on_disk.schema.features[-2].vocabulary == ("1", "2", "3")  # of 1.0, 2 and 3.0


def test_the_rows_to_train_on_are_encoded_as_in_memory(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, on_disk, *_ = prepare_both(problem, room)
    encoded = Encoder(in_memory.schema).encode(in_memory.parts.train)
    np.testing.assert_array_equal(on_disk.rows.encoded.numbers[:], encoded.numbers)
    np.testing.assert_array_equal(on_disk.rows.encoded.codes[:], encoded.codes)
    np.testing.assert_array_equal(on_disk.rows.labels[:], in_memory.labels[0])


def test_all_rows_to_validate_on_wait_behind_those_to_train_on(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, on_disk, *_ = prepare_both(problem, room)
    trained = len(on_disk.rows.labels)
    assert not list(room.folder.glob("*-later*"))
    encoded = Encoder(in_memory.schema).encode(in_memory.parts.validation)
    np.testing.assert_array_equal(on_disk.both.encoded.numbers[trained:], encoded.numbers)
    np.testing.assert_array_equal(on_disk.both.encoded.codes[trained:], encoded.codes)
    np.testing.assert_array_equal(on_disk.both.labels[trained:], in_memory.labels[1])
    np.testing.assert_array_equal(on_disk.both.labels[:trained], on_disk.rows.labels[:])


def test_a_part_in_memory_is_spread_over_the_rows(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, on_disk, _, said = prepare_both(problem, replace(room, budget=Budget(BASE_BYTES)))
    test, whole = on_disk.parts.test, in_memory.parts.test
    step = round(len(whole) / len(test))
    assert step > 1
    assert len(test) <= 20_000
    pd.testing.assert_frame_equal(
        test.reset_index(drop=True), whole.iloc[::step].reset_index(drop=True), check_categorical=False
    )
    assert f"tested on {len(test):,} rows, spread evenly over {len(whole):,}: as many as memory allows" in said


@pytest.mark.parametrize("seed", [0, 1])
def test_at_random_every_part_has_its_share_of_each_class(seed: int, tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE)
    in_memory, on_disk, *_ = prepare_both(problem, room)
    np.testing.assert_allclose(on_disk.parts.sizes, in_memory.parts.sizes, rtol=0.03)
    rates = [float(labels.mean()) for labels in on_disk.labels]
    np.testing.assert_allclose(rates, [1 / 3] * 3, atol=0.02)


def test_a_regression_has_the_same_scale_to_the_bit(tmp_path: Path, room: Room) -> None:
    values = np.random.default_rng(2).lognormal(3, 2, ROWS)
    table = make_table().append_column("price", pa.array(values, mask=values > 1000))
    problem = write(tmp_path / "t.parquet", table, target="price", task="regression", split=DATES)
    in_memory, on_disk, said, said_on_disk = prepare_both(problem, room)
    assert on_disk.schema == in_memory.schema
    assert said_on_disk[0] == said[0]
    np.testing.assert_array_equal(on_disk.rows.labels[:], in_memory.labels[0])


@pytest.mark.parametrize("labels", [["no", "yes", "perhaps"], ["1", "2.0", "03"], ["1", "2.0", "3"], ["True", "false"]])
def test_labels_are_what_they_are_in_memory(labels: list[str], tmp_path: Path, room: Room) -> None:
    chosen = pa.array([labels[index] for index in np.random.default_rng(3).integers(0, len(labels), ROWS)])
    csv = make_table().drop_columns(["late"]).append_column("late", chosen).to_pandas()[["amount", "late", "when"]]
    csv.to_csv(tmp_path / "t.csv", index=False)
    task = "binary" if len(labels) == 2 else "multiclass"
    features = {"amount": {"kind": "number"}}
    problem = make_problem(tmp_path / "t.csv", task=task, features=features, split=TIME)
    in_memory, on_disk, *_ = prepare_both(problem, room)
    assert on_disk.schema.target == in_memory.schema.target
    assert on_disk.table.digest == in_memory.table.digest


def test_a_table_that_fits_stays_in_memory(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(2000), split=TIME)
    table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    assert table.on_disk is None
    assert not list(room.folder.glob("*.parquet"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.set_column(6, "late", pa.nulls(len(t), pa.bool_())), "`late` has no value in any row"),
        (lambda t: t.set_column(6, "late", pa.array([True] * len(t))), "`late` is True in all"),
        (lambda t: t.set_column(0, "amount", pa.nulls(len(t), pa.float32())), "`amount` has no value in any training"),
    ],
)
def test_what_can_not_be_trained_on_is_one_sentence(spoil: Any, message: str, tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", spoil(make_table()), split=DATES)
    for way in (prepare_in_memory, prepare_from_disk):
        with pytest.raises(InvalidTable, match=message):
            way(problem, room)


def test_a_target_with_a_class_in_each_row_is_rejected_before_memory_is_full(tmp_path: Path, room: Room) -> None:
    table = make_table().drop_columns(["late"]).append_column("late", pa.array([f"class {i}" for i in range(ROWS)]))
    problem = write(tmp_path / "t.parquet", table, task="multiclass", split=DATES)
    with pytest.raises(InvalidTable, match="`late` has more than 100,000 classes: pool the rare ones"):
        read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))


def test_one_wrong_value_among_all_rows_is_found(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, *_ = prepare_both(problem, room)
    amounts = make_table()["amount"].to_pylist()
    amounts[77_777] = 1e9
    spoiled = make_table().set_column(0, "amount", pa.array(amounts, pa.float32()))
    problem = write(tmp_path / "spoiled.parquet", spoiled, features=MORE, split=DATES)
    skews = []
    for table in read_both(problem, room):
        given = (in_memory.schema, None, table.columns, table.frame, table.parse_failures, MORE, "version 1")
        skews.append([str(skew) for skew in find_skews(*given, table.on_disk) if skew.kind != "extra"])
    said, said_on_disk = (skew[0].partition(", first in ") for skew in skews)
    assert said_on_disk[0] == said[0]
    assert said_on_disk[2] == "row 77,778: 1e+09"


def test_a_table_is_kept_and_read_again_on_disk(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, on_disk = read_both(problem, room)
    assert keep_table(on_disk) == in_memory.digest
    pd.testing.assert_frame_equal(load_table(problem, in_memory.digest).frame, in_memory.frame)
    with open_room(room.budget) as other:
        spill = SpillToDisk(problem, other, lambda _: None)
        again = load_table(problem, in_memory.digest, spill)
        assert again.on_disk
        assert again.digest == in_memory.digest
        in_memory_schema = prepare(problem, in_memory, say=lambda _: None).schema
        assert prepare_on_disk(problem, again, other, lambda _: None).schema == in_memory_schema


def test_some_rows_of_a_table_on_disk_are_those_of_it_in_memory(tmp_path: Path, room: Room) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    in_memory, on_disk = read_both(problem, room)
    assert on_disk.thin(1000).digest == in_memory.thin(1000).digest


def test_a_disk_without_room_is_one_sentence_and_holds_nothing_after(tmp_path: Path, monkeypatch: Any) -> None:
    problem = write(tmp_path / "t.parquet", make_table(), features=MORE, split=DATES)
    with small_disk(tmp_path / "disk", 3_000_000) as disk:
        monkeypatch.setenv("EKIBEN_HOME", str(disk))
        with pytest.raises(NoRoom, match=r"left, and the table takes about .* MB there"):
            read_with_little(problem)
        assert list((disk / "data" / "scratch").iterdir()) == []


def read_with_little(problem: ProblemConfig) -> Table:
    with open_room(LITTLE) as room:
        return read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))


TRAIN = """
import sys
from pathlib import Path
from ekiben.training.network.fit import FitOptions
from ekiben.training.problem import read_problem
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.scratch import open_room
from ekiben.training.train import train
with open_room(Budget(BASE_BYTES + 1_000_000)) as room:
    train(read_problem(Path(sys.argv[1])), FitOptions(epochs=1), room=room)
"""


@pytest.mark.slow
def test_a_model_that_was_trained_from_the_disk_is_packed_and_is_the_same_again(tmp_path: Path) -> None:
    write_table(6000, tmp_path / "big")
    problem = write_problem(tmp_path / "big", by_time=True)
    stores = stores_in(tmp_path) | {"EKIBEN_HOME": str(tmp_path)}
    said = run("-c", TRAIN, str(problem), **stores).stdout
    assert "larger than memory" in said
    assert "6,000 rows of" in said
    assert "it becomes the champion" in said
    (package,) = (tmp_path / "bentoml" / "models" / "big").glob("1*")
    provenance = load_provenance(package / "provenance.json")
    assert provenance.definition.options.memory == BASE_BYTES + 1_000_000
    again = run(
        "-m", "ekiben.training", "train", "--from-provenance", str(package / "provenance.json"), **stores
    ).stdout
    assert "the same weights" in again


PEAK = """
import resource, sys
from pathlib import Path
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.problem import read_problem
from ekiben.training.tables.read import read_table
problem = read_problem(Path(sys.argv[1]))
with open_room(Budget(BASE_BYTES + 1_000_000)) as room:
    table = read_table(problem, lambda _: None, spill=SpillToDisk(problem, room, lambda _: None))
    prepared = prepare_on_disk(problem, table, room, lambda _: None)
    rows = prepared.rows
    assert sum(len(rows.labels[at:at + 10_000]) for at in range(0, len(rows.labels), 10_000)) == prepared.parts.sizes[0]
    assert len(rows.encoded.numbers[:: 1000]) == -(-prepared.parts.sizes[0] // 1000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)
"""


@pytest.mark.slow
def test_four_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for rows in (300_000, 1_200_000):
        folder = tmp_path / f"t{rows}"
        for command in (["-m", "tests.big_table", str(rows), str(folder)], ["-c", PEAK, str(folder) + ".toml"]):
            done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 60, peaks  # MB; 900,000 rows more are 77 as they are typed, and 108 encoded
