"""Tables that people reported elsewhere as lost, mangled or refused: they are read as a careful person would."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.proposal.propose import Proposal, propose
from ekiben.training.sources import find_source, open_source

CASES = Path(__file__).parents[2] / "cases"


def read(path: Path, **said: str) -> pa.Table:
    source = open_source(find_source(str(path), None, said))
    return pa.Table.from_batches(list(source.batches(source.columns, lambda _: None)))


def notes(path: Path, **said: str) -> tuple[str, ...]:
    source = open_source(find_source(str(path), None, said))
    list(source.batches(source.columns, lambda _: None))
    return source.notes


def proposal(path: Path) -> Proposal:
    return propose(find_source(str(path), None), "y", name="case")


def rejection(path: Path, **said: str) -> str:
    with pytest.raises(InvalidTable) as rejected:
        read(path, **said)
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


@pytest.mark.parametrize(("name", "ending"), [("plain.csv", " Bern"), ("with-comma.csv", ", Bern")])
def test_a_backslash_before_a_quote_escapes_it(name: str, ending: str) -> None:
    table = read(CASES / "backslash-quotes" / name)
    assert table.num_rows == 240
    assert table.slice(1, 1).to_pylist() == [{"note": f'say "hi"{ending}', "x": "15.08", "city": "Bern", "y": "0"}]
    found = find_source(str(CASES / "backslash-quotes" / name), None)
    assert found.model_dump(include={"quote", "escape"}) == {"quote": None, "escape": "\\"}


@pytest.mark.parametrize(
    "text", ['"C:\\new",1\n"say \\"hi\\"",2\n', '"a\\\\b",1\n"c\\"d",2\n', '"a""b",1\n"c\\"d",2\n']
)
def test_other_backslashes_stay_as_they_are(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("s,n\n" + text)
    expected = {"C": ["C:\\new", 'say "hi"'], "a\\": ["a\\b", 'c"d'], 'a"': ['a"b', 'c"d']}
    assert read(tmp_path / "t.csv")["s"].to_pylist() == next(v for k, v in expected.items() if text[1:].startswith(k))


def test_a_backslash_at_the_end_of_a_value_escapes_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('folder,n\n"C:\\data\\",1\n"D:\\",2\n')
    assert read(tmp_path / "t.csv")["folder"].to_pylist() == ["C:\\data\\", "D:\\"]


@pytest.mark.parametrize(("name", "second"), [("first-column.csv", '7" inch'), ("last-column.csv", '"7 inch')])
def test_quotes_that_are_never_closed_swallow_no_rows(name: str, second: str) -> None:
    table = read(CASES / "stray-quotes" / name)
    assert table.num_rows == 240
    assert table["note"][9].as_py() == '"5 inch'
    assert table["note"][59].as_py() == second
    assert "quotes are read as a part of the values" in notes(CASES / "stray-quotes" / name)[0]
    assert not notes(CASES / "stray-quotes" / name, quote="")


@pytest.mark.parametrize("last", ['"7 inch', '"7 inch"', '7 inch"', '7" inch'])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_stray_quote_among_quoted_values_is_named(last: str, place: int, tmp_path: Path) -> None:
    rows = [["1", "2", "3"] for _ in range(30)]
    rows[0][place], rows[4][place], rows[20][place] = '"quoted, too"', '"5 inch', last
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(",".join(row) + "\n" for row in rows))
    said = rejection(tmp_path / "t.csv")
    assert f"row 6 (the header is row 1), column `{'abc'[place]}`: a quote is opened before '5 inch" in said
    assert "--quote none" in said


def test_a_quoted_value_after_the_look_is_not_read_with_its_quotes(tmp_path: Path) -> None:
    text = 'note,x\n"5 inch,1\n' + "Bern,2\n" * 700_000 + '"Ulm",3\n'
    (tmp_path / "t.csv").write_text(text)
    assert "row 700,003 (the header is row 1), column `note`: a quote is opened before '\"Ulm\"'" in rejection(
        tmp_path / "t.csv"
    )


def test_lines_within_quotes_are_a_value(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b,note\n1,2,"Dear all,\n\nyours, Ann"\n3,4,x\n')
    assert read(tmp_path / "t.csv")["note"].to_pylist() == ["Dear all,\n\nyours, Ann", "x"]


def test_the_line_that_excel_writes_says_the_delimiter() -> None:
    table = read(CASES / "sep-line" / "excel.csv")
    assert table.column_names == ["x", "city", "y"]
    assert table.num_rows == 240


def test_comments_before_the_header_are_left_out_and_said() -> None:
    table = read(CASES / "sep-line" / "comments.csv")
    assert table.column_names == ["x", "city", "y"]
    assert table.num_rows == 240
    assert notes(CASES / "sep-line" / "comments.csv") == ("left out: 2 lines that begin with # before the header",)


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        ("#chrom\tpos\n1\t7\n", ["#chrom", "pos"], ["1", "7"]),
        ("## made by x\n#chrom\tpos\n1\t7\n", ["#chrom", "pos"], ["1", "7"]),
        ("#id\n7\n", ["#id"], ["7"]),
        ("# one number\nid\n7\n", ["id"], ["7"]),
        ('"sep=|"\r\na|b\r\n1,2|3\r\n', ["a", "b"], ["1,2", "3"]),
        ("SEP=\t\n\na\tb\n1\t2\n", ["a", "b"], ["1", "2"]),
        ("\n\na,b\n1,#2\n#3,4\n", ["a", "b"], ["1", "#2"]),
    ],
)
def test_what_stands_before_a_header_is_told_from_it(
    text: str, columns: list[str], first: list[str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    table = read(tmp_path / "t.csv")
    assert table.column_names == columns
    assert list(table.to_pylist()[0].values()) == first


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_prologue_may_be_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("# für Köln\nü;b\nä;1\n".encode(encoding))
    assert read(tmp_path / "t.csv").to_pylist() == [{"ü": "ä", "b": "1"}]


@pytest.mark.parametrize(
    "text", ["a,b\r\n1,2\n3,4\r5,6\n", "a,b\n1,2\r\n3,4\n5,6\r\n", '"a",b\r\n"1",2\n3,4\r\n5,6', "a,b\r1,2\r3,4\n5,6"]
)
def test_newlines_of_several_kinds_end_rows(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    assert read(tmp_path / "t.csv").to_pylist() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]


@pytest.mark.parametrize("text", ['a,b\r\n1,"2\n3"\r\n', 'a,b\n1,"2\n3"\n', '"a","b"\r\n1,"2\n3"\r\n'])
def test_a_newline_within_quotes_may_be_of_another_kind(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    assert read(tmp_path / "t.csv").to_pylist() == [{"a": "1", "b": "2\n3"}]


def test_texts_that_run_over_the_pieces_of_a_file_are_whole(tmp_path: Path) -> None:
    """A piece of the file may end anywhere, within quotes too: what a line looks like says nothing."""
    value = "1,2\n" * 100_000
    with (tmp_path / "t.csv").open("w") as file:
        file.write("n,text,m,k\n")
        for n in range(60):
            file.write(f'{n},"{value}{n}",2,3\n{n},x,4,5\n')
    table = read(tmp_path / "t.csv")
    assert table.num_rows == 120
    assert table["n"].to_pylist() == [str(n // 2) for n in range(120)]
    assert {len(text) for text in table["text"].to_pylist()} == {1, len(value) + 1, len(value) + 2}


def test_a_row_without_an_end_is_an_error_within_bounds(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,")
        file.truncate(1 << 31)
    assert "is not text" in rejection(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,2\n3,")
        for _ in range(50):
            file.write(b"x" * (1 << 20))
    assert "row 3 (the header is row 1), 'xxx" in rejection(tmp_path / "t.csv")
    assert "has more than 32 MB" in rejection(tmp_path / "t.csv")


def test_a_file_that_changes_while_it_is_read_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "12345,67890\n" * 2_000_000)
    source = open_source(find_source(str(path), None))
    batches = source.batches(source.columns, lambda _: None)
    next(batches)
    with path.open("a") as file:
        file.write("1,2\n")
    with pytest.raises(InvalidTable, match="was changed while it was read"):
        list(batches)


@pytest.mark.parametrize("name", ["[a]*.csv", "it's.csv", "a{1,2}?.csv", "~ $HOME %41.csv", 'say "hi".csv'])
def test_a_path_is_no_pattern(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a,b\n1,2\n")
    (tmp_path / "a1.csv").write_text("a,b\n3,4\n")
    assert read(tmp_path / name).to_pylist() == [{"a": "1", "b": "2"}]
    (tmp_path / f"{name}.json").write_text('[{"a": 1}]')
    assert read(tmp_path / f"{name}.json").to_pylist() == [{"a": 1}]


# Parquet.


def test_a_column_of_half_floats_is_a_number() -> None:
    features = proposal(CASES / "half-floats" / "half.parquet").features
    assert features["h"].facts["kind"] == "number"


def test_a_column_of_string_views_is_a_category() -> None:
    features = proposal(CASES / "string-views" / "views.parquet").features
    assert features["ls"].facts["kind"] == "category"


def test_a_column_of_uuids_is_ignored_and_no_others() -> None:
    found = proposal(CASES / "uuid-column" / "orders.parquet")
    assert found.ignored.keys() == {"u"}
    assert read(CASES / "uuid-column" / "orders.parquet")["u"][0].as_py() == "b67f6c37-4e5b-40cf-8374-22a7d9e40e97"


@pytest.mark.parametrize(("name", "kind"), [("table", pa.float64()), ("ints", pa.int64())])
def test_parts_may_differ_in_a_number_s_type(name: str, kind: pa.DataType) -> None:
    table = read(CASES / "parts-int-and-float" / name)
    assert table.num_rows == 240
    assert table.schema.field("n").type == kind
    assert proposal(CASES / "parts-int-and-float" / name).features["n"].facts["kind"] == "number"


def test_leading_zeros_of_a_key_make_it_a_category() -> None:
    table = read(CASES / "partition-leading-zeros" / "table")
    assert Counter(table["zip"].to_pylist()) == dict.fromkeys(["01001", "02134", "10001", "90210"], 60)
    assert proposal(CASES / "partition-leading-zeros" / "table").features["zip"].facts["kind"] == "category"


def test_a_key_may_stand_in_the_files_too(tmp_path: Path) -> None:
    table = read(CASES / "partition-key-inside" / "table")
    assert table.num_rows == 240
    assert set(table["city"].to_pylist()) == {"Bern", "Lima", "Oslo", "Pune"}
    (tmp_path / "city=Oslo").mkdir()
    pa.parquet.write_table(pa.table({"city": ["Oslo", "Bern"]}), tmp_path / "city=Oslo" / "a.parquet")
    assert "its folder says `city` is 'Oslo', and a row 'Bern'" in rejection(tmp_path)
    (tmp_path / "month=02").mkdir()
    shutil.rmtree(tmp_path / "city=Oslo")
    pa.parquet.write_table(pa.table({"month": [2, 2]}), tmp_path / "month=02" / "a.parquet")
    assert read(tmp_path)["month"].to_pylist() == [2, 2]


def test_a_linked_folder_is_a_part_of_the_table(tmp_path: Path) -> None:
    shutil.copytree(CASES / "symlinked-partition", tmp_path / "case")
    (tmp_path / "case" / "table" / "year=2023").symlink_to("../old")
    (tmp_path / "case" / "table" / "year=2021" / "back").symlink_to("..")  # a loop
    table = read(tmp_path / "case" / "table")
    assert Counter(table["year"].to_pylist()) == {2021: 60, 2022: 60, 2023: 60}


def test_files_that_are_not_read_are_said(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    for name in ("b.csv", "c.txt", "d.json", "e.orc", "_SUCCESS", ".crc"):
        (tmp_path / name).write_text("x")
    assert notes(tmp_path) == ("4 files with other endings were not read: b.csv, c.txt, d.json, …",)


def test_a_broken_file_in_the_middle_of_a_folder_is_named(tmp_path: Path) -> None:
    for name in "abc":
        pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / f"{name}.parquet")
    content = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(content[:-20])
    assert rejection(tmp_path).startswith(f"{tmp_path}/b.parquet can't be read as Parquet: ")


def test_keys_that_only_some_folders_have_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "year=2024").mkdir()
    for path in (tmp_path / "a.parquet", tmp_path / "year=2024" / "b.parquet"):
        pa.parquet.write_table(pa.table({"a": [1]}), path)
    assert "year=2024/b.parquet is in a folder `year=…`" in rejection(tmp_path)


def test_a_key_that_is_missing_is_null_and_others_are_unescaped(tmp_path: Path) -> None:
    for value in ("__HIVE_DEFAULT_PARTITION__", "a%2Fb", "7"):
        (tmp_path / f"k={value}").mkdir()
        pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / f"k={value}" / "a.parquet")
    assert read(tmp_path)["k"].to_pylist() == ["7", None, "a/b"]
