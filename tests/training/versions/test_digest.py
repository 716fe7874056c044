"""What a table's digest is of, and what does not matter to it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.kept_tables import make_problem, make_rows, read, write

SMALL = make_rows(500)
AMOUNTS = SMALL["amount"].to_pylist()


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the small table."""
    return read(make_problem(write(tmp_path_factory.mktemp("small") / "t.parquet", SMALL))).digest


def digest_of(path: Path, rows: pa.Table, **options: object) -> str:
    return read(make_problem(write(path / "t.parquet", rows, **options))).digest


def replace(rows: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def test_it_is_of_values_not_of_how_they_are_stored(tmp_path: Path, digest: str) -> None:
    assert len(digest) == 64
    assert digest_of(tmp_path, SMALL, row_group_size=7, compression="gzip", version="1.0") == digest
    chunked = pa.concat_tables([SMALL.slice(0, 3), SMALL.slice(3, 0), SMALL.slice(3)])
    assert digest_of(tmp_path, chunked, use_dictionary=False) == digest
    encoded = replace(SMALL, "city", SMALL["city"].dictionary_encode())
    assert digest_of(tmp_path, encoded) == digest
    assert digest_of(tmp_path, replace(SMALL, "city", SMALL["city"].cast(pa.large_string()))) == digest
    assert digest_of(tmp_path, SMALL.select([*reversed(SMALL.column_names)])) == digest


def test_the_zone_does_not_matter_but_the_moment_does(tmp_path: Path, digest: str) -> None:
    elsewhere = SMALL["sent"].cast(pa.timestamp("us", tz="Asia/Kathmandu"))
    assert digest_of(tmp_path, replace(SMALL, "sent", elsewhere)) == digest
    later = pc.add(SMALL["sent"], pa.scalar(1, pa.duration("s")))
    assert digest_of(tmp_path, replace(SMALL, "sent", later)) != digest


def test_nan_is_missing_and_zero_has_no_sign(tmp_path: Path) -> None:
    plain = replace(SMALL, "amount", pa.array([None, 0.0, *AMOUNTS[2:]], pa.float32()))
    odd = replace(SMALL, "amount", pa.array([float("nan"), -0.0, *AMOUNTS[2:]], pa.float32()))
    assert digest_of(tmp_path, plain) == digest_of(tmp_path, odd)
    other = replace(SMALL, "amount", pa.array([0.0, None, *AMOUNTS[2:]], pa.float32()))
    assert digest_of(tmp_path, plain) != digest_of(tmp_path, other)


def test_it_is_the_same_in_another_kind_of_file(tmp_path: Path) -> None:
    columns = {"amount": [1.5, None, 3.0, 4.0], "city": ["a", "b", None, "a,b"], "late": [True, False, True, False]}
    problem = {"features": {"amount": {"kind": "number"}, "city": {"kind": "category"}}}
    typed = read(make_problem(write(tmp_path / "t.parquet", pa.table(columns)), **problem))
    (tmp_path / "t.csv").write_text('late,city,amount\ntrue,a,1.50\nfalse,b,\nTRUE,,3\nFalse,"a,b",4e0\n')
    assert read(make_problem(tmp_path / "t.csv", **problem)).digest == typed.digest


@pytest.mark.parametrize("name", ["amount", "city", "code", "paid", "seen", "sent", "late"])
def test_each_column_matters_and_so_does_the_order_of_rows(tmp_path: Path, digest: str, name: str) -> None:
    moved = pa.chunked_array([SMALL[name].slice(1).combine_chunks(), SMALL[name].slice(0, 1).combine_chunks()])
    assert digest_of(tmp_path, replace(SMALL, name, moved)) != digest


def test_a_name_a_kind_and_what_is_unread_matter(tmp_path: Path, digest: str) -> None:
    path = write(tmp_path / "t.parquet", SMALL)
    features = make_problem(path).model_dump(exclude_unset=True)["features"]
    as_number = make_problem(path, features=features | {"code": {"kind": "number"}})
    assert read(as_number).digest != digest
    renamed = SMALL.rename_columns([{"city": "town"}.get(name, name) for name in SMALL.column_names])
    town = {{"city": "town"}.get(name, name): facts for name, facts in features.items()}
    assert read(make_problem(write(tmp_path / "r.parquet", renamed), features=town)).digest != digest
    unread = replace(SMALL, "amount", pa.array(["far" if value is None else str(value) for value in AMOUNTS]))
    assert digest_of(tmp_path, unread) != digest


def test_thinned_rows_are_another_table(tmp_path: Path, digest: str) -> None:
    table = read(make_problem(write(tmp_path / "t.parquet", SMALL)))
    assert table.digest == digest
    assert table.thin(100).digest != digest
    assert table.thin(500).digest == digest
