"""Versions of Delta and Iceberg tables: no copy is made, and the same rows are read again."""

import shutil
from pathlib import Path

import pytest

from ekiben.contract.errors import UserError
from ekiben.training.versions.snapshots import keep_table, load_table
from tests.kept_tables import assert_same_bits, list_files, make_problem, make_rows, read, write

ROWS, MORE = make_rows(500), make_rows(40, seed=1)


def complaint(problem: object, digest: str) -> str:
    with pytest.raises(UserError) as raised:
        load_table(problem, digest)
    return str(raised.value)


@pytest.fixture
def delta(tmp_path: Path, tables: Path) -> Path:
    """A Delta table."""
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "sales", ROWS)
    return tmp_path / "sales"


def test_a_delta_tables_version_is_read_again(delta: Path, tables: Path) -> None:
    from deltalake import DeltaTable, write_deltalake

    problem = make_problem(delta)
    first = read(problem)
    digest = keep_table(first)
    thinned = first.thin(50)
    keep_table(thinned)
    write_deltalake(delta, MORE, mode="append")
    DeltaTable(delta).create_checkpoint()
    DeltaTable(delta).optimize.compact()
    assert len(read(problem).frame) > len(first.frame)
    assert_same_bits(load_table(problem, digest).frame, first.frame)
    assert_same_bits(load_table(problem, thinned.digest).frame, thinned.frame)
    fewer = make_problem(delta, features={"paid": {"kind": "boolean"}})
    assert list(load_table(fewer, digest).frame) == ["paid", "late"]
    assert list_files(tables) == []


def test_a_delta_tables_version_that_is_gone_is_said(delta: Path) -> None:
    from deltalake import DeltaTable, write_deltalake

    problem = make_problem(delta)
    digest = keep_table(read(problem))
    write_deltalake(delta, MORE, mode="overwrite")
    DeltaTable(delta).vacuum(0, dry_run=False, enforce_retention_duration=False)
    said = complaint(problem, digest)
    assert said.startswith(f"the kept table {digest[:12]} is version 0 of {delta}, which can't be read any more: ")


def test_a_version_that_holds_other_rows_is_said(delta: Path) -> None:
    from deltalake import write_deltalake

    problem = make_problem(delta)
    digest = keep_table(read(problem))
    shutil.rmtree(delta)
    write_deltalake(delta, make_rows(500, seed=2))
    assert "which holds other rows now: train on the source" in complaint(problem, digest)


def test_rows_that_were_copied_stay_copied(delta: Path, tmp_path: Path, tables: Path) -> None:
    copied = make_problem(write(tmp_path / "t.parquet", ROWS))
    digest = keep_table(read(copied))
    assert keep_table(read(make_problem(delta))) == digest
    assert len(list_files(tables)) == 1
    assert_same_bits(load_table(copied, digest).frame, read(copied).frame)


def test_an_iceberg_tables_snapshot_is_read_again(tmp_path: Path, tables: Path) -> None:
    from pyiceberg.catalog.memory import InMemoryCatalog

    catalog = InMemoryCatalog("catalog", warehouse=str(tmp_path))
    catalog.create_namespace("shop")
    rows, more = (each.drop(["seen", "sent"]) for each in (ROWS, MORE))
    table = catalog.create_table("shop.sales", schema=rows.schema)
    table.append(rows)
    features = {"amount": {"kind": "number"}, "city": {"kind": "category"}, "paid": {"kind": "boolean"}}
    problem = make_problem(tmp_path / "shop" / "sales", features=features)
    first = read(problem)
    digest = keep_table(first)
    table.append(more)
    assert len(read(problem).frame) > len(first.frame)
    assert_same_bits(load_table(problem, digest).frame, first.frame)
    assert list_files(tables) == []
