"""`ekiben data`: what is kept, what changed, and what may go."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ekiben.commands.parser import build_parser
from ekiben.contract.errors import UserError
from ekiben.training.versions.digest import GROUP_ROWS
from ekiben.training.versions.folder import open_folder
from ekiben.training.versions.kept_table import read_kept
from ekiben.training.versions.snapshots import keep_table
from tests.kept_tables import FEATURES, list_files, make_problem, make_rows, read, write

ROWS = make_rows(GROUP_ROWS + 100)
SMALL = [make_rows(50, seed=seed) for seed in range(5)]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An MLflow store of this test's own, which is not there yet."""
    uri, before = f"sqlite:///{tmp_path}/mlflow.db", mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield uri
    mlflow.set_tracking_uri(before)


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Run `ekiben data` and return the lines it printed."""
    options = build_parser().parse_args(["data", *arguments])
    capsys.readouterr()
    options.run(options)
    return capsys.readouterr().out.splitlines()


def keep(tmp_path: Path, rows: pa.Table, **features: object) -> str:
    given = {"features": features} if features else {}
    return keep_table(read(make_problem(write(tmp_path / "t.parquet", rows), **given)))


def age(tables: Path, digest: str, days: int) -> None:
    """Let a table have been kept so many days ago."""
    kept = read_kept(open_folder(), digest)
    old = kept.model_copy(update={"kept": datetime.now(UTC) - timedelta(days=days)})
    (tables / digest / "table.json").write_text(old.model_dump_json())


def change(rows: pa.Table, name: str, column: object) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def test_appended_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = keep(tmp_path, ROWS)
    after = keep(tmp_path, pa.concat_tables([ROWS, make_rows(GROUP_ROWS, seed=1)]))
    assert data(capsys, "diff", before[:10], after) == [
        "rows: 65,636 → 131,172, 65,536 rows added",
        "groups of rows: 1 the same, 1 changed, 1 added",
    ]
    assert data(capsys, "diff", after, before) == [
        "rows: 131,172 → 65,636, 65,536 rows removed",
        "groups of rows: 1 the same, 1 changed, 1 removed",
    ]
    assert data(capsys, "diff", after, after)[-1] == "the same rows and columns"


def test_changed_values_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = keep(tmp_path, ROWS)
    rows = len(ROWS)
    third = pa.array([index % 3 == 0 for index in range(rows)])
    amounts = pc.if_else(third, pa.scalar(1e9, pa.float32()), ROWS["amount"])
    cities = [*ROWS["city"].to_pylist()]
    cities[-2:] = ["Bern", None if cities[-1] is not None else "Bern"]
    after = keep(tmp_path, change(change(ROWS, "amount", amounts), "city", pa.array(cities)))
    assert data(capsys, "diff", before, after) == [
        "rows: 65,636 → 65,636",
        "groups of rows: 2 changed",
        "`amount`: changed in 21,879 of 65,636 rows (33.3%), in 2 groups",
        "`city`: changed in 2 of 65,636 rows (< 0.01%), in 1 group",
    ]


def test_other_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = keep(tmp_path, ROWS)
    new = {
        "amount": {"kind": "number"},
        "town": FEATURES["city"],
        "code": {"kind": "number"},
        "fresh": FEATURES["paid"],
    }
    rows = ROWS.rename_columns({"city": "town"}).append_column("fresh", ROWS["late"])
    after = keep(tmp_path, rows, **new)
    assert data(capsys, "diff", before, after) == [
        "rows: 65,636 → 65,636",
        "groups of rows: 2 the same",
        "`fresh`: added, boolean",
        "`paid`: removed, boolean",
        "`seen`: removed, timestamp",
        "`sent`: removed, timestamp:utc",
        "`city`: renamed to `town`",
        "`code`: category → float32",
    ]


def test_rows_that_were_not_copied_are_compared_by_their_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from deltalake import write_deltalake

    path = tmp_path / "sales"
    write_deltalake(path, SMALL[0])
    before = keep_table(read(make_problem(path)))
    write_deltalake(path, change(SMALL[0], "paid", pa.array([True] * 50)), mode="overwrite")
    after = keep_table(read(make_problem(path)))
    assert data(capsys, "diff", before, after) == [
        "rows: 50 → 50",
        "groups of rows: 1 changed",
        "`paid`: changed in 1 group; how many values is not counted without a copy of the rows",
    ]
    assert f"{path}@1" in data(capsys, "list")[1]


def test_a_diff_reads_what_was_altered_as_such(
    tmp_path: Path, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (keep(tmp_path, rows) for rows in SMALL[:2])
    for path in list_files(tables):
        path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="was altered: remove it"):
        data(capsys, "diff", one, other)


def test_the_list_is_of_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no table is kept in" in data(capsys, "list")[0]
    kept = {keep(tmp_path, rows)[:12] for rows in SMALL[:2]}
    lines = data(capsys, "list")
    assert lines[0].split()[:2] == ["table", "kept"]
    assert {line.split()[0] for line in lines[1:3]} == kept
    assert lines[3].startswith("2 tables, 0.0 MiB")


def register(store: str, digest: str) -> None:
    """Register a version that was trained on that table."""
    mlflow.set_tracking_uri(store)
    client = mlflow.MlflowClient()
    client.create_registered_model("kept")
    client.create_model_version("kept", "s3://models/kept", tags={"data_digest": digest})


def test_what_is_named_stays(tmp_path: Path, tables: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    digests = [keep(tmp_path, rows) for rows in SMALL]
    for days, digest in enumerate(reversed(digests)):
        age(tables, digest, days)
    registered, recorded, old, trained, newest = digests
    register(store, registered)
    records = tables.parent / "pipeline" / "records"
    records.mkdir(parents=True)
    (records / "k.json").write_text(json.dumps({"outputs": {"table": recorded}}))
    mlflow.set_experiment("kept")
    with mlflow.start_run(tags={"data_digest": trained}, run_name="swift-owl"):
        lines = data(capsys, "list")
        names = {digest: next(line for line in lines if line.startswith(digest[:12])) for digest in digests}
        assert names[registered].endswith("t.parquet  kept 1")
        assert names[recorded].endswith("t.parquet  record k")
        assert names[trained].endswith("t.parquet  run swift-owl")
        assert names[old].endswith("t.parquet")
        lines = data(capsys, "prune", "--keep", "1", "--dry-run")
        assert lines[0].startswith(f"3 data digests are named by versions and runs in sqlite:///{tmp_path}/mlflow.db")
        assert lines[-1].startswith("1 table and 1 group of rows would be removed, 0.0 MiB; 3 tables more are named")
        assert len(list_files(tables)) == 5
        data(capsys, "prune", "--keep", "1", "--older-than", "1")
        assert list_digests(tables) == {registered, recorded, trained, newest}
        assert len(list_files(tables)) == 4
        assert not (tables / old).exists()
    assert data(capsys, "prune", "--keep", "1")[-1].startswith("1 table and 1 group of rows removed")
    assert list_digests(tables) == {registered, recorded, newest}  # the run is over, and made no version


def list_digests(tables: Path) -> set[str]:
    """Return the digests of the tables that are kept."""
    return {path.parent.name for path in tables.glob("*/table.json")}


def test_the_last_and_the_young_stay(tmp_path: Path, tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digests = [keep(tmp_path, rows) for rows in SMALL]
    for days, digest in enumerate(digests):
        age(tables, digest, 10 * days)
    assert data(capsys, "prune", "--keep", "5")[-1].startswith("0 tables")
    data(capsys, "prune", "--keep", "1", "--older-than", "25")
    assert list_digests(tables) == set(digests[:3])
    data(capsys, "prune", "--keep", "2")
    assert list_digests(tables) == set(digests[:2])


def test_rows_of_a_table_that_stays_stay(tmp_path: Path, tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = keep(tmp_path, ROWS)
    grown = keep(tmp_path, pa.concat_tables([ROWS, SMALL[1]]))
    age(tables, first, 1)
    (unfinished := list_files(tables)[0].parent / ".killed.parquet.0").touch()
    assert data(capsys, "prune", "--keep", "1")[-1].startswith("1 table and 1 group of rows removed")
    assert not unfinished.exists()
    assert {path.stem for path in list_files(tables)} == {
        Path(name).stem for name in read_kept(open_folder(), grown).files
    }


def test_nothing_goes_while_it_is_not_known_what_is_named(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [keep(tmp_path, rows) for rows in SMALL[:2]]
    (tables / kept[0] / "table.json").write_text("{}")
    with pytest.raises(UserError, match=f"{kept[0]}/table.json was altered"):
        data(capsys, "prune", "--keep", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="MLflow store"):
        data(capsys, "prune", "--keep", "1")
    assert len(list_files(tables)) == 2


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no one table is meant by 'abc'"):
        data(capsys, "diff", "abc", "abd")
    with pytest.raises(SystemExit):
        data(capsys, "prune", "--keep", "0")


def keep_record(tables: Path, key: str, days: int, after: str | None = None, **said: object) -> str:
    """Keep a record of so many days ago, and a table that it names, and return the table's digest."""
    digest = keep(tables.parent, make_rows(50, seed=int(key)))
    age(tables, digest, days)
    record = {"after": after, "configuration": {"name": "kept"}, "outputs": {"table": digest}, **said}
    made = tables.parent / "pipeline" / "work" / key / "made.txt"
    path = tables.parent / "pipeline" / "records" / f"{key}.json"
    for file, text in ((made, "made"), (path, json.dumps(record))):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        let_be_old(file, days)
    return digest


def let_be_old(path: Path, days: int) -> None:
    then = datetime.now(UTC).timestamp() - days * 86_400
    os.utime(path, (then, then))


def keep_run(tables: Path, outcome: str, days: int, *keys: str) -> None:
    """Keep the journal of a run that did these steps."""
    path = tables.parent / "pipeline" / "runs" / f"{'-'.join(keys)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"outcome": outcome, "steps": [{"key": key} for key in keys]}))
    let_be_old(path, days)


def test_old_records_go_that_lead_nowhere(tables: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    register(store, "0" * 64)
    gone = [keep_record(tables, "1", 50), keep_record(tables, "2", 40, "1", version="2")]  # of no registered version
    stay = [keep_record(tables, "3", 50), keep_record(tables, "4", 40, "3", version="1")]
    stay += [keep_record(tables, "5", 50), keep_record(tables, "6", 3, "5")]  # a younger one leads to it
    stay += [keep_record(tables, "7", 50)]
    gone += [keep_record(tables, "8", 50), keep_record(tables, "9", 50)]
    keep_run(tables, "unfinished", 20, "7")
    keep_run(tables, "failed", 20, "8")
    keep_run(tables, "unfinished", 40, "9")
    newest = keep(tables.parent, ROWS)
    prune = ("prune", "--keep", "1", "--older-than", "10")
    lines = data(capsys, *prune, "--dry-run")
    assert lines[0] == "4 records of the pipeline would be removed, with 0.0 MiB that steps made"
    assert lines[-1].startswith("4 tables and 4 groups of rows would be removed")
    assert list_digests(tables) == {*gone, *stay, newest}
    assert data(capsys, *prune)[0].startswith("4 records of the pipeline removed")
    assert list_digests(tables) == {*stay, newest}
    for folder in ("records", "work"):
        assert {path.stem for path in (tables.parent / "pipeline" / folder).iterdir()} == set("34567")
    assert data(capsys, *prune)[0].startswith("6 data digests are named")
    data(capsys, "prune", "--keep", "1")  # without an age no record goes
    assert list_digests(tables) == {*stay, newest}


@pytest.mark.parametrize("folder", ["records", "runs"])
def test_no_record_goes_while_another_can_not_be_read(
    folder: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = keep_record(tables, "1", 50)
    damaged = tables.parent / "pipeline" / folder / "torn.json"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_text("{")
    with pytest.raises(UserError, match=r"torn.json can't be read, and may be needed"):
        data(capsys, "prune", "--keep", "1", "--older-than", "10")
    assert list_digests(tables) == {digest}
    assert (tables.parent / "pipeline" / "work" / "1" / "made.txt").exists()
