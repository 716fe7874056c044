"""JSON, spreadsheets, Delta and Iceberg tables: typed columns, one version, one sentence where they are none."""

import gzip
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import FileSource
from ekiben.training.sources import find_source, open_source

SALES = pa.table({"zip": ["01001", "02134"], "price": [1.5, None], "y": [0, 1]})


def read(path: Path, **said: str) -> pa.Table:
    source = open_source(find_source(str(path), None, said))
    assert source.typed
    return pa.Table.from_batches(list(source.batches(source.columns, lambda _: None)))


def rejection(path: Path, **said: str) -> str:
    with pytest.raises(InvalidTable) as rejected:
        read(path, **said)
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


# JSON.

LINES = '{"n": 1, "zip": "01001", "on": "2024-01-02", "ok": true}\n\n{"n": 2.5, "zip": "x", "on": null, "new": 1}\n'


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "t.jsonl.gz"])
@pytest.mark.parametrize("is_array", [False, True])
def test_records_in_json_are_a_table(name: str, is_array: bool, tmp_path: Path) -> None:
    text = "[" + LINES.replace("\n\n", ",\n") + "]" if is_array else LINES
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]) if "gz" in name else content)
    table = read(tmp_path / name)
    assert table.schema.types == [pa.float64(), pa.string(), pa.string(), pa.bool_(), pa.int64()]
    assert table.to_pylist() == [
        {"n": 1.0, "zip": "01001", "on": "2024-01-02", "ok": True, "new": None},
        {"n": 2.5, "zip": "x", "on": None, "ok": None, "new": 1},
    ]


def test_a_string_of_json_stays_as_it_stands(tmp_path: Path) -> None:
    text = '{"id": "B67F6C37-4E5B-40CF-8374-22A7D9E40E97", "at": "2024-01-02T03:04", "mixed": 1}\n{"mixed": "x"}\n'
    (tmp_path / "t.jsonl").write_text(text)
    assert read(tmp_path / "t.jsonl").to_pylist()[0] == {
        "id": "B67F6C37-4E5B-40CF-8374-22A7D9E40E97", "at": "2024-01-02T03:04", "mixed": "1"
    }  # fmt: skip
    assert read(tmp_path / "t.jsonl")["mixed"][1].as_py() == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":1}\n{"a":\n', "can't be read as JSON: line 3, byte 7: unexpected end of data"),
        ('{"a":1}\n[1]\n', "a table in JSON is an object a line, or an array of objects"),
        ("[1, 2]", "a table in JSON is an object a line, or an array of objects"),
        ("[]", "a table in JSON is an object a line, or an array of objects"),
        ('{"a":1,"a":2}\n', 'line 1: Object {"a":1,"a":2} has duplicate key "a"'),
        ('{"a":1,"A":2}\n', "`A` is the name of two columns that differ in case"),
        ("", "is empty"),
    ],
)
def test_json_that_is_no_table_is_rejected(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    assert said in rejection(tmp_path / "t.json")


def test_many_records_come_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(f'{{"n": {n}, "s": "{n % 7}"}}\n' for n in range(200_000)))
    assert read(tmp_path / "t.jsonl")["n"].to_pylist() == list(range(200_000))


# Spreadsheets.


def write_sheets(path: Path, **sheets: list[list[object]]) -> Path:
    """Write the smallest .xlsx: numbers, and strings in the cells themselves."""

    def cell(value: object) -> str:
        if value is None:
            return "<c/>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if isinstance(value, str) else f"<c><v>{value}</v></c>"

    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    space = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    links = "".join(
        f'<Relationship Id="r{n}" Type="{space}/worksheet" Target="worksheets/{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{space}"><sheets>{names}</sheets></workbook>'
        )
        start = f'<Relationship Id="r0" Type="{space}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{relations}">{start}</Relationships>')
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{relations}">{links}</Relationships>')
        for n, rows in enumerate(sheets.values(), 1):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )
    return path


def test_a_sheet_is_a_table(tmp_path: Path) -> None:
    sheets = {"May": [["zip", " price "], ["01001", 2], [None, None], ["x", 2.5]], "June": [["a"], [1], [3]]}
    path = write_sheets(tmp_path / "t.xlsx", **sheets)
    assert read(path).to_pylist() == [{"zip": "01001", "price": 2.0}, {"zip": "x", "price": 2.5}]
    assert read(path, sheet="June").to_pydict() == {"a": [1, 3]}
    assert open_source(FileSource(path=path)).notes == ("read: the sheet 'May'; `sheet` names another: June",)
    assert "has no sheet 'July'; it has: May, June" in rejection(path, sheet="July")
    assert "--delimiter says how a CSV file is written" in rejection(path, delimiter=";")


def test_a_spreadsheet_that_is_none_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("a,b\n1,2\n")
    assert "t.xlsx can't be read as a spreadsheet" in rejection(tmp_path / "t.xlsx")
    assert "has no columns" in rejection(write_sheets(tmp_path / "empty.xlsx", Sheet=[]))


# Delta and Iceberg.


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "sales", SALES, partition_by=["zip"])
    write_deltalake(tmp_path / "sales", SALES.slice(0, 1), mode="append")
    return tmp_path / "sales"


def test_a_version_of_a_delta_table_stays(delta: Path) -> None:
    assert read(delta).num_rows == 3
    assert read(delta, version="0").sort_by("zip").equals(SALES)
    assert read(delta, as_of=(datetime.now(UTC) + timedelta(hours=1)).isoformat()).num_rows == 3
    assert open_source(FileSource(path=delta)).notes == ("read: version 1 of the Delta table",)


def test_rows_that_a_delta_table_marks_as_deleted_are_not_read(tmp_path: Path) -> None:
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "t", pa.table({"x y": [*range(100)], "city": ["Bern"] * 100}))
    log = tmp_path / "t" / "_delta_log"
    written = (log / f"{0:020}.json").read_text().splitlines()
    (add,) = (line["add"] for line in map(json.loads, written) if "add" in line)
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    # The rows 0, 1, 2 and 50 as a roaring bitmap.
    deleted = {"storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000935c8Xg000310ST$Q"}
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": True}},
        {"add": {**add, "deletionVector": {**deleted, "sizeInBytes": 40, "cardinality": 4}}},
    ]
    (log / f"{1:020}.json").write_text("\n".join(map(json.dumps, actions)))
    table = read(tmp_path / "t")
    assert table["x y"].to_pylist() == [row for row in range(100) if row not in (0, 1, 2, 50)]
    assert table["city"].type == pa.string()
    assert read(tmp_path / "t", version="0").num_rows == 100


def test_a_version_that_is_not_there_is_rejected(delta: Path) -> None:
    assert "has no version 7: the newest is 1" in rejection(delta, version="7")
    assert "was not there yet at 2020-01-01 00:00 UTC" in rejection(delta, as_of="2020-01-01")
    assert "leave one out" in rejection(delta, as_of="2020-01-01", version="0")
    assert "--table-version: " in rejection(delta, version="newest")
    assert "--as-of: " in rejection(delta, as_of="yesterday")
    assert "--sheet says what of a spreadsheet is read" in rejection(delta, sheet="May")


def test_a_snapshot_of_an_iceberg_table_stays(tmp_path: Path) -> None:
    from pyiceberg.catalog.memory import InMemoryCatalog

    catalog = InMemoryCatalog("catalog", warehouse=str(tmp_path))
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.sales", schema=SALES.schema)
    table.append(SALES)
    table.append(SALES.slice(0, 1))
    path, first = tmp_path / "shop" / "sales", table.snapshots()[0].snapshot_id
    assert read(path).num_rows == 3
    assert read(path, version=str(first)).equals(SALES)
    assert read(path).schema == SALES.schema
    assert f"has no such snapshot; it has: {first}, " in rejection(path, version="7")
    assert "has no such snapshot" in rejection(path, as_of="2020-01-01")


def test_what_must_be_installed_is_said(delta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("deltalake", "python_calamine"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs the Python package deltalake, which is not installed: pip install deltalake" in rejection(delta)
    said = rejection(write_sheets(tmp_path / "t.xlsx", A=[["a"], [1]]))
    assert "needs the Python package python-calamine, which is not installed" in said


# DuckDB.


def test_memory_is_bounded_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1, "2"\n')  # a blank before a quote, which makes it DuckDB's
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EKIBEN_MEMORY", "200MB")
    source = open_source(FileSource(path=Path("t.csv")))
    assert sum(batch.num_rows for batch in source.batches(source.columns, lambda _: None)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    monkeypatch.setenv("EKIBEN_MEMORY", "much")
    with pytest.raises(InvalidTable, match="EKIBEN_MEMORY is 'much': write an amount of memory, such as 2GB"):
        list(source.batches(source.columns, lambda _: None))
    monkeypatch.setenv("EKIBEN_MEMORY", "100KB")
    with pytest.raises(InvalidTable, match="more memory than EKIBEN_MEMORY"):
        list(source.batches(source.columns, lambda _: None))
