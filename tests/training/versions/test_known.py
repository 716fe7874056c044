"""A table that grew: only what is new is hashed, and nothing that may have changed is trusted."""

import hashlib
import os
import re
import time
from pathlib import Path

import pyarrow as pa
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table
from ekiben.training.versions.digest import GROUP_ROWS
from ekiben.training.versions.snapshots import keep_table, load_table
from tests.conftest import wait_until
from tests.kept_tables import assert_same_bits, make_problem, make_rows, read, write

FEW = make_rows(100)
MANY = pa.concat_tables([make_rows(GROUP_ROWS)] * 2)
FEATURES = {"code": {"kind": "category"}, "amount": {"kind": "number"}}


def read_known(problem: ProblemConfig) -> Table:
    """Read until the files are old enough to be known, and return a table of which every group was."""
    tables: list[Table] = []

    def all_known() -> bool:
        tables.append(read(problem))
        return tables[-1].fingerprint.known == len(tables[-1].fingerprint.groups)

    wait_until(all_known)
    return tables[-1]


@pytest.fixture
def folder(tmp_path: Path, tables: Path) -> Path:
    """A folder of one file, of two groups and some rows, that is known."""
    write(tmp_path / "t" / "a.parquet", pa.concat_tables([MANY, FEW]))
    read_known(problem_of(tmp_path / "t"))
    return tmp_path / "t"


def problem_of(path: Path) -> ProblemConfig:
    return make_problem(path, features=FEATURES)


def hashed(table: Table) -> int:
    """Return how many groups of a table were hashed as it was read."""
    return len(table.fingerprint.groups) - table.fingerprint.known


def hash_anew(problem: ProblemConfig, monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> str:
    """Return the digest of a table of which nothing is known."""
    with monkeypatch.context() as patched:
        patched.setenv("EKIBEN_HOME", str(elsewhere))
        table = read(problem)
        assert table.fingerprint.known == 0
        return table.digest


def test_a_file_that_came_to_a_folder_is_all_that_is_hashed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of(folder)
    first = read(problem)
    assert hashed(first) == 0
    keep_table(first)
    write(folder / "b.parquet", FEW)
    grown = read(problem)
    assert hashed(grown) == 1  # the last one, which has the new rows
    assert grown.digest == hash_anew(problem, monkeypatch, tmp_path / "anew")
    assert_same_bits(load_table(problem, keep_table(grown)).frame, grown.frame)


@pytest.mark.parametrize("change", ["bytes", "times", "inode"])
def test_a_file_that_may_have_changed_is_hashed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    problem, path = problem_of(folder), folder / "a.parquet"
    status = path.stat()
    if change == "bytes":
        rows = pa.concat_tables([MANY.slice(1), MANY.slice(0, 1), FEW])
        write(path, rows)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "times":
        path.touch()
    else:
        (folder / "copy").write_bytes(path.read_bytes())
        (folder / "copy").replace(path)
    table = read(problem)
    assert hashed(table) == 3
    assert table.digest == hash_anew(problem, monkeypatch, tmp_path / "anew")


def test_what_is_read_otherwise_is_hashed(folder: Path) -> None:
    assert hashed(read(make_problem(folder, features={"code": {"kind": "category"}}))) == 3
    assert hashed(read(make_problem(folder, features=FEATURES | {"amount": {"kind": "category"}}))) == 3


def test_rows_that_change_what_a_column_is_let_all_be_hashed(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MANY.set_column(2, "code", pa.array([f"{index % 7}.0" for index in range(len(MANY))]))
    write(tmp_path / "t" / "a.parquet", whole)
    problem = problem_of(tmp_path / "t")
    assert "3" in read_known(problem).frame["code"].cat.categories
    write(tmp_path / "t" / "b.parquet", FEW.set_column(2, "code", pa.array(["3.5"] * 100)))
    grown = read(problem)
    assert "3.0" in grown.frame["code"].cat.categories
    assert grown.digest == hash_anew(problem, monkeypatch, tmp_path / "anew")


def test_a_csv_file_that_grew_is_another_file(tmp_path: Path, tables: Path) -> None:
    lines = [f"{index},{index % 5},{index % 2}\n" for index in range(GROUP_ROWS + 10)]
    path = tmp_path / "t.csv"
    path.write_text("amount,code,late\n" + "".join(lines))
    assert hashed(read_known(problem_of(path))) == 0
    with path.open("a") as file:
        file.writelines(lines[:10])
    assert hashed(read(problem_of(path))) == 2


def test_a_change_in_the_middle_that_hides_its_time_is_seen(tmp_path: Path, tables: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("amount,code,late\n" + "".join(f"{index % 90 + 10},{index},{index % 2}\n" for index in range(5000)))
    problem = problem_of(path)
    digest = read_known(problem).digest
    status = path.stat()
    with path.open("r+b") as file:
        middle = file.read().index(b"10,2520,")
        file.seek(middle)
        file.write(b"77")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    changed = read(problem)
    assert hashed(changed) == 1
    assert changed.digest != digest


def test_a_file_written_a_moment_ago_is_not_known(tmp_path: Path, tables: Path) -> None:
    path = write(tmp_path / "t.parquet", FEW)
    os.utime(path, (time.time() - 1e6,) * 2)  # its inode says otherwise
    assert hashed(read(problem_of(path))) == 1
    assert hashed(read(problem_of(path))) == 1


def test_an_index_that_is_damaged_or_wrong_deceives_nobody(folder: Path, tables: Path) -> None:
    (index,) = (tables / "known").glob("*.json")
    whole = index.read_bytes()
    digest = read(problem_of(folder)).digest
    content = re.sub(rb'("amount":")[0-9a-f]{8}', rb"\g<1>00000000", whole.partition(b"\n")[2])
    for damaged in (b"[]", whole[:-1], whole.partition(b"\n")[0] + b"\n" + content):
        index.write_bytes(damaged)
        table = read(problem_of(folder))
        assert hashed(table) == 3
        assert table.digest == digest
    index.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    with pytest.raises(InvalidTable, match=f"has other rows than its index says: remove {tables / 'known'}"):
        keep_table(read(problem_of(folder)))


def test_appending_to_a_delta_table_hashes_what_is_new(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import write_deltalake

    path = tmp_path / "sales"
    write_deltalake(path, MANY)
    problem = problem_of(path)
    first = read_known(problem)
    write_deltalake(path, FEW, mode="append")
    grown = read(problem)
    assert hashed(grown) == 1
    assert_same_bits(grown.frame.iloc[: len(first.frame)], first.frame)
    assert grown.digest == hash_anew(problem, monkeypatch, tmp_path / "anew")
