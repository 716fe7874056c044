"""A table that is kept is the same again, to the bit, or it is said what is wrong with it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from ekiben.contract.errors import UserError
from ekiben.training.versions.digest import GROUP_ROWS
from ekiben.training.versions.snapshots import keep_table, load_table
from tests.conftest import ROOT
from tests.kept_tables import assert_same_bits, list_files, make_problem, make_rows, read, write
from tests.small_disk import small_disk

SMALL = make_rows(500)


def complaint(problem: object, digest: str) -> str:
    with pytest.raises(UserError) as raised:
        load_table(problem, digest)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("target", "task"), [("late", "binary"), ("city", "multiclass"), ("amount", "regression")])
def test_it_is_the_same_to_the_bit(tmp_path: Path, tables: Path, target: str, task: str) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", make_rows()), target, task, slices=("code",))
    table = read(problem)
    digest = keep_table(table)
    assert digest == table.digest
    again = load_table(problem, digest)
    assert_same_bits(table.frame, again.frame)
    assert again.digest == digest
    assert (again.columns, again.notes, again.source) == (table.columns, table.notes, table.source)
    assert_same_bits(load_table(problem, digest[:12]).frame, table.frame)


def test_labels_keep_their_type(tmp_path: Path, tables: Path) -> None:
    labels = pa.array([index % 12 for index in range(500)])
    problem = make_problem(write(tmp_path / "t.parquet", SMALL.append_column("grade", labels)), "grade", "multiclass")
    table = read(problem)
    again = load_table(problem, keep_table(table))
    assert_same_bits(table.frame, again.frame)
    assert list(again.frame["grade"].cat.categories) == [*range(12)]


def test_what_could_not_be_read_is_kept_too(tmp_path: Path, tables: Path) -> None:
    broken = SMALL.set_column(0, "amount", pa.array([*map(str, range(499)), "far"]))
    problem = make_problem(write(tmp_path / "t.parquet", broken))
    table = read(problem)
    again = load_table(problem, keep_table(table))
    assert again.parse_failures == table.parse_failures
    assert again.parse_failures[0].shown == "far"


def test_signs_of_zero_and_rows_left_out_do_not_come_back_otherwise(tmp_path: Path, tables: Path) -> None:
    late = pa.array([None if index % 3 else True for index in range(500)])
    rows = SMALL.set_column(0, "amount", pa.array([-0.0] * 500, pa.float32()))
    rows = rows.set_column(rows.schema.get_field_index("late"), "late", late)
    problem = make_problem(write(tmp_path / "t.parquet", rows))
    for table in (read(problem), read(problem).thin(50)):
        assert_same_bits(table.frame, load_table(problem, keep_table(table)).frame)


def test_a_table_that_grew_shares_what_it_had(tmp_path: Path, tables: Path) -> None:
    rows = make_rows(2 * GROUP_ROWS)
    first = read(make_problem(write(tmp_path / "t.parquet", rows)))
    keep_table(first)
    before = {path: path.stat().st_mtime_ns for path in list_files(tables)}
    grown = read(make_problem(write(tmp_path / "t.parquet", pa.concat_tables([rows, make_rows(10, seed=1)]))))
    keep_table(grown)
    after = {path: path.stat().st_mtime_ns for path in list_files(tables)}
    assert len(before) == 2
    assert len(after) == 3
    assert before.items() <= after.items()
    problem = make_problem(tmp_path / "t.parquet")
    assert_same_bits(load_table(problem, first.digest).frame, first.frame)
    assert_same_bits(load_table(problem, grown.digest).frame, grown.frame)


def test_a_problem_may_read_fewer_columns_but_no_others(tmp_path: Path, tables: Path) -> None:
    path = write(tmp_path / "t.parquet", SMALL)
    digest = keep_table(read(make_problem(path)))
    fewer = make_problem(path, features={"paid": {"kind": "boolean"}})
    assert list(load_table(fewer, digest).frame) == ["paid", "late"]
    more = make_problem(path, features={"paid": {"kind": "boolean"}, "weight": {"kind": "number"}})
    assert "has no column `weight`" in complaint(more, digest)
    other = make_problem(path, features={"paid": {"kind": "category"}})
    assert "`paid` is boolean in the kept table" in complaint(other, digest)
    assert "`code` is category in the kept table" in complaint(make_problem(path, "code", "multiclass"), digest)


def test_files_that_were_altered_or_are_gone_are_named(tmp_path: Path, tables: Path) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", make_rows()))
    digest = keep_table(read(problem))
    first, second = list_files(tables)
    whole = first.read_bytes()
    first.write_bytes(second.read_bytes())  # sound Parquet, with other rows
    assert complaint(problem, digest) == (f"{first} was altered: remove it, and keep the table again from its source")
    first.write_bytes(whole[:-100])
    assert f"{first} was altered" in complaint(problem, digest)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    first.write_bytes(flipped)
    assert f"{first} was altered" in complaint(problem, digest)
    first.unlink()
    assert complaint(problem, digest) == f"{first} is gone: keep the table again from its source"
    keep_table(read(problem))
    assert_same_bits(load_table(problem, digest).frame, read(problem).frame)
    about = tables / digest / "table.json"
    about.write_text(about.read_text().replace(f'"rows": {GROUP_ROWS}', f'"rows": {GROUP_ROWS - 1}'))
    assert f"{about} was altered" in complaint(problem, digest)
    about.write_text("{")
    assert f"{about} was altered" in complaint(problem, digest)


def test_a_table_that_is_not_kept_is_said(tmp_path: Path, tables: Path) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", SMALL))
    assert f"no table {'0' * 64} is kept in {tables}" in complaint(problem, "0" * 64)
    for given in ("", "0", "../../etc", "*"):
        assert "no one table is meant by" in complaint(problem, given)


def test_a_full_disk_leaves_nothing_that_counts(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", make_rows()))
    table = read(problem)
    with small_disk(tmp_path / "disk", 700_000) as disk:
        monkeypatch.setenv("EKIBEN_TABLES", str(disk / "tables"))
        with pytest.raises(UserError) as raised:
            keep_table(table)
        assert "No space left on device): make room, remove tables with `ekiben data prune`" in str(raised.value)
        assert list_files(disk, "**/.*") == []
        assert f"no table {table.digest} is kept" in complaint(problem, table.digest)


def test_two_processes_may_keep_one_table(tmp_path: Path, tables: Path) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", make_rows()))
    code = (
        "from pathlib import Path; from tests.kept_tables import make_problem, read;"
        "from ekiben.training.versions.snapshots import keep_table;"
        f"print(keep_table(read(make_problem(Path({str(tmp_path / 't.parquet')!r})))))"
    )

    def keep(_: int) -> str:
        return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(2) as pool:
        kept = {digest.strip() for digest in pool.map(keep, range(2))}
    assert kept == {read(problem).digest}
    assert_same_bits(load_table(problem, kept.pop()).frame, read(problem).frame)
    assert len(list_files(tables)) == 2
    assert list_files(tables, "**/.*") == []


def test_an_object_store_will_do(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem(write(tmp_path / "t.parquet", SMALL))
    table = read(problem)
    for url in (f"memory://bucket{tmp_path}", f"file://{tmp_path}/remote"):
        monkeypatch.setenv("EKIBEN_TABLES", url)
        assert f"no table {table.digest} is kept in {url}" in complaint(problem, table.digest)
        assert_same_bits(load_table(problem, keep_table(table)[:9]).frame, table.frame)
    assert len(list_files(tmp_path / "remote")) == 1
    list_files(tmp_path / "remote")[0].write_bytes(b"PAR1")
    assert "was altered: remove it" in complaint(problem, table.digest)


@pytest.mark.parametrize(
    ("url", "needed"), [("s3://bucket/tables", "fsspec and s3fs"), ("nowhere://b", "fsspec and the storage's library")]
)
def test_a_library_that_is_missing_is_named(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch, url: str, needed: str
) -> None:
    monkeypatch.setenv("EKIBEN_TABLES", url)
    said = complaint(make_problem(tmp_path / "t.parquet"), "0" * 64)
    assert f"EKIBEN_TABLES={url} needs {needed}" in said
