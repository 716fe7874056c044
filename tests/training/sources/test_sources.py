"""Tables from real files and a real SQLite: what is read is what was written, or one sentence says why not."""

import bz2
import csv
import gzip
import io
import lzma
import os
import random
import sqlite3
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.sources import (
    MAX_COLUMNS,
    PASSWORD_VARIABLE,
    Source,
    find_source,
    open_source,
)
from ekiben.training.sources.similar import describe_difference, find_similar_source
from ekiben.training.sources.sql.values import choose_type, find_kinds, simplify, to_array

CITIES = {
    "utf-8": "ville,prix\nOrléans,1\n東京,2\n",
    "utf-8-sig": "ville,prix\nOrléans,1\n東京,2\n",
    "utf-16": "ville,prix\nOrléans,1\n東京,2\n",
    "utf-16-le": "ville,prix\nOrléans,1\nParis,2\n",
    "utf-16-be": "ville,prix\nOrléans,1\nParis,2\n",
    "utf-32": "ville,prix\nOrléans,1\n東京,2\n",
    "cp1252": "straße,preis €\nMüller,1\nNîmes – “là”,2\nEspaña,3\nSão Paulo,4\n",
    "latin-1": "année,n\nété,2\nÀ côté de l'hôtel,3\n",
    "cp1250": "miasto,n\nBiałystok,1\nDąbrowa Górnicza,2\nŁódź,3\nCzęstochowa,4\nRzeszów,5\n",
    "cp1251": "город,н\nМосква,1\nКазань,2\nСанкт-Петербург,3\n",
    "koi8-r": "город,н\nМосква,1\nКазань,2\nСанкт-Петербург,3\n",
    "cp850": "ville,n\nOrléans,1\nNîmes,2\n",
    "gb18030": "城市,人口\n北京,1\n上海,2\n广州,3\n",
    "big5": "城市,人口\n臺北,1\n高雄,2\n臺中,3\n",
    "shift_jis": "都市,人口\n東京,1\n大阪,2\nさいたま,3\nカタカナ,4\n",
    "euc_jp": "都市,人口\n東京,1\n大阪,2\nさいたま,3\nカタカナ,4\n",
    "euc_kr": "도시,인구\n서울,1\n부산,2\n",
    "cp1253": "πόλη,κόσμος\nΑθήνα,1\nΠάτρα,2\n",
}
SALES = "town;price;note\nBonn;1,5;\nUlm;2.400,25;x\n"


def ignore(share: float) -> None:
    pass


def read(source: Source, *columns: str) -> pa.Table:
    """All rows, and at least no batch too many."""
    asked = columns or source.columns
    batches = list(source.batches(asked, ignore))
    assert all(batch.num_rows for batch in batches)
    return pa.Table.from_batches(batches) if batches else pa.table({name: pa.nulls(0) for name in asked})


def read_file(path: Path, **said: str) -> list[dict[str, str]]:
    """The rows of a file of which this is said."""
    return list(read(open_source(FileSource(path=path, **said))).to_pylist())


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rejection(attempt: Callable[[], object]) -> str:
    """The one sentence that is said."""
    with pytest.raises(InvalidTable) as rejected:
        attempt()
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


# What a CSV file is written in.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_usual_delimiter_and_newline_is_found(delimiter: str, newline: str, tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["1", "x,y;z", ""], ["2", "", 'say "hi"']]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    path = write(tmp_path / "table.csv", text.getvalue())
    found = find_source(str(path), None)
    assert found == FileSource(path=path, delimiter=delimiter, encoding="utf-8", decimal=".")
    assert [list(row.values()) for row in read(open_source(found)).to_pylist()] == rows[1:]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5\n", ";"),
        ("length, cm;width, cm\n1,5;2,5\n", ";"),
        ("name,note\nx,a;b;c\ny,a;b\n", ","),
        ("a|b\n1|2,3\n4|5,6\n", "|"),
        ('"a,b";c\n"1,2";3\n', ";"),
        ("a,b,c\n1,2,3\n1,2\n", ","),
        ("alone\n1\n2\n", ","),
        ("a\tb c\n1\t2 3\n", "\t"),
    ],
)
def test_the_delimiter_is_the_one_that_fits_all_rows(text: str, delimiter: str, tmp_path: Path) -> None:
    found = find_source(str(write(tmp_path / "table.txt", text)), None)
    assert isinstance(found, FileSource)
    assert found.delimiter == delimiter


def test_a_row_that_the_look_cuts_off_does_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", "a,b;c\n" + f"1,{'x' * 10_000};2\n" * 500)
    found = find_source(str(path), None)
    assert isinstance(found, FileSource)
    assert found.delimiter == ";"


@pytest.mark.parametrize("encoding", CITIES)
def test_every_usual_encoding_is_found(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "cities.csv", CITIES[encoding].encode(encoding))
    found = find_source(str(path), None)
    expected = list(csv.DictReader(io.StringIO(CITIES[encoding])))
    assert read(open_source(found)).to_pylist() == [{k: v or "" for k, v in row.items()} for row in expected]
    assert read_file(path, encoding=encoding) == read_file(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "shift_jis"])
def test_a_character_may_lie_across_the_blocks_of_a_file(encoding: str, tmp_path: Path) -> None:
    random.seed(2)
    words = [
        "".join(random.choices("東京大阪横浜名古屋札幌福岡神戸川崎x", k=random.randrange(1, 60))) for _ in range(5000)
    ]
    values = random.choices(words, k=100_000)
    path = write(tmp_path / "long.csv", ("値,n\n" + "".join(f"{value},1\n" for value in values)).encode(encoding))
    assert path.stat().st_size > 1 << 22
    assert read(open_source(FileSource(path=path)), "値").column(0).to_pylist() == values


def test_a_line_of_another_encoding_among_utf8_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("ville,prix\nOrléans,1\nNîmes,2\n".encode() + "Sète,3\n".encode("cp1252"))
    assert "line 4 is not UTF-8, as most others are" in rejection(lambda: read_file(path))
    assert len(read_file(path, encoding="cp1252")) == 3


def test_another_encoding_than_declared_is_rejected_with_one_that_fits(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", "stadt,n\nKöln,1\n".encode("cp1252"))
    said = rejection(lambda: read_file(path, encoding="utf-8"))
    remedy = 'set `encoding` in the problem file, e.g. encoding = "cp1252", or give --encoding'
    assert said == f"{path} can't be read as utf-8: {remedy}"
    assert 'encoding = "cp1252"' in rejection(lambda: read_file(path, encoding="utf-16"))
    assert read_file(path, encoding="cp1252") == [{"stadt": "Köln", "n": "1"}]


def test_a_late_byte_of_another_encoding_is_rejected_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", b"a,b\n" + b"12345,67890\n" * 400_000 + b"1,\xe9\n")
    said = rejection(lambda: read_file(path))
    assert "row 400,002 (the header is row 1), column `b` can't be read as utf-8" in said
    assert read(open_source(FileSource(path=path)), "a").num_rows == 400_001
    undefined = write(tmp_path / "undefined.csv", b"a,\xe9\n" + b"12345,67890\n" * 400_000 + b"1,\x81\n")
    assert "can't be read as cp1252" in rejection(lambda: read_file(undefined))


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64"])
def test_an_encoding_that_does_not_exist_is_rejected(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", SALES)
    assert f"there is no encoding '{encoding}'" in rejection(lambda: read_file(path, encoding=encoding))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ""])
def test_a_compressed_file_is_read_whatever_its_name(suffix: str, tmp_path: Path) -> None:
    for name in (f"sales.csv{suffix}", "sales.csv", f"sales{suffix}"):
        path = write(tmp_path / name, compress(SALES.encode(), suffix))
        assert read_file(path)[1] == {"town": "Ulm", "price": "2.400,25", "note": "x"}


def compress(content: bytes, suffix: str) -> bytes:
    if suffix == ".zip":
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/", "")
            archive.writestr("folder/sales.csv", content)
            archive.writestr("__MACOSX/folder/._sales.csv", "noise")
        return target.getvalue()
    plain: Callable[[bytes], bytes] = bytes
    return {".gz": partial(gzip.compress, compresslevel=1), ".bz2": bz2.compress, ".xz": lzma.compress}.get(
        suffix, plain
    )(content)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_a_damaged_compressed_file_is_rejected(suffix: str, tmp_path: Path) -> None:
    random.seed(0)
    noise = "".join(f"{random.random()},{random.random()}\n" for _ in range(10_000))
    content = compress(f"a,b\n{noise}".encode(), suffix)
    path, middle = tmp_path / f"sales.csv{suffix}", len(content) // 2
    write(path, content[:middle])
    assert "it is damaged" in rejection(lambda: read_file(path))
    write(
        path, content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 99]) + content[middle + 99 :]
    )
    assert str(path) in rejection(lambda: read_file(path))


def test_damage_late_in_a_file_is_found_on_the_way(tmp_path: Path) -> None:
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000, compresslevel=1)
    source = open_source(FileSource(path=write(tmp_path / "sales.csv.gz", content[:-100])))
    assert "it is damaged" in rejection(lambda: read(source))


def test_a_zip_of_two_files_or_none_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "sales.zip"
    for names in ([], ["a.csv", "b.csv"]):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, SALES)
        assert f"holds {len(names)} files" in rejection(lambda: read_file(path))


# What a CSV file holds.


def test_every_value_is_a_text_as_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", '\ufeffa,b,c\n1,"",NA\n, x ,null\n"two\nlines","say ""hi""",1e5\n\n\n')
    source = open_source(FileSource(path=path))
    assert not source.typed
    assert source.rows is None
    assert source.description == str(path)
    assert set(read(source).schema.types) == {pa.string()}
    assert read(source).to_pylist() == [
        {"a": "1", "b": "", "c": "NA"},
        {"a": "", "b": " x ", "c": "null"},
        {"a": "two\nlines", "b": 'say "hi"', "c": "1e5"},
    ]


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    source = open_source(FileSource(path=write(tmp_path / "table.csv", ' a ,"b",,d\n1,2,3,4\n')))
    assert source.columns == ("a", "b", "", "d")
    assert read(source, "d", "a", "").to_pylist() == [{"d": "4", "a": "1", "": "3"}]
    assert "has no column `c`; it has: a, b, , d" in rejection(lambda: read(source, "a", "c"))


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n\r\n\r\n"])
def test_a_header_alone_has_columns_and_no_rows(text: str, tmp_path: Path) -> None:
    source = open_source(FileSource(path=write(tmp_path / "table.csv", text)))
    assert source.columns == ("a", "b")
    assert read(source).num_rows == 0


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_rejected(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", content)
    assert f"{path} is empty" in rejection(lambda: read_file(path))


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_what_python_writes_is_read(rows: list[tuple[str, str, str]], delimiter: str, tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    path = write(tmp_path / "table.csv", text.getvalue())
    source = open_source(FileSource(path=path, delimiter=delimiter, encoding="utf-8"))
    assert [tuple(row.values()) for row in read(source).to_pylist()] == rows


@pytest.mark.parametrize(
    ("row", "values"), [("3", "1 value when"), ("3,4,5", "3 values when"), ('"3, 4', "1 value when")]
)
def test_a_ragged_row_is_rejected_with_its_number(row: str, values: str, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", '"a",b\n' + "1,2\n" * 700_000 + f"{row}\n")
    said = rejection(lambda: read_file(path))
    assert f"row 700,002 (the header is row 1) has {values}" in said or "quote" in said
    assert '","' in said or "quote" in said


def test_a_quote_that_is_never_closed_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write(path, '"a",b\n1,2\n3,"x\n4,5\n')
    assert (
        "row 3 (the header is row 1), column `b`: a quote is opened before 'x\\n4,5\\n' and never closed"
        in rejection(lambda: read_file(path))
    )
    write(path, '"a",b\n1,2\n3,"x\n4,5')
    source = open_source(FileSource(path=path))
    assert "never closed" in rejection(lambda: read(source, "a"))
    write(path, '"a",b\n1,2\n3,"x\n' + "4,5\n" * 10_000_000)
    assert "row 3 (the header is row 1), 'x\\n4,5" in rejection(lambda: read_file(path))
    assert "has more than 32 MB: is a quote never closed?" in rejection(lambda: read_file(path))
    path.write_bytes(b"x" * 5 * 2**20)
    assert "has a first line of more than 4 MB: it is not a table" in rejection(lambda: read_file(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_the_last_value_may_have_lines_if_its_quote_is_closed(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", 'a,b\n3,"x\n4,5"\r\n\r\n'.encode(encoding))
    assert read_file(path) == [{"a": "3", "b": "x\n4,5"}]


def test_what_is_said_of_a_csv_file_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", "a;b\n1,500;2\n")
    assert "decimal" not in find_source(str(path), None).model_fields_set
    said = {"delimiter": ";", "encoding": "cp1252", "decimal": ",", "null": ["-"]}
    assert find_source(str(path), None, said) == FileSource.model_validate({"path": path, **said})


def test_nothing_is_said_of_a_table_that_is_no_csv_file(tmp_path: Path, shop: str) -> None:
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    said = {"decimal": ","}
    for table, query in ((str(tmp_path / "a.parquet"), None), (shop, "SELECT 1")):
        assert "--decimal says how a CSV file is written" in rejection(lambda t=table, q=query: find_source(t, q, said))


def test_any_file_has_markers_of_missing_and_a_database_none(tmp_path: Path, shop: str) -> None:
    pa.parquet.write_table(pa.table({"a": ["-"]}), tmp_path / "a.parquet")
    said = {"null": ["-"]}
    assert find_source(str(tmp_path / "a.parquet"), None, said) == FileSource(path=tmp_path / "a.parquet", null=("-",))
    assert "--null says how a file is written, and not a database's URL" in rejection(
        lambda: find_source(shop, "SELECT 1", said)
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"as_of": "yesterday"}, "--as-of: 'yesterday' can't be read: write a moment, such as 2026-01-31T12:00"),
        ({"version": "x"}, "--table-version: 'x' can't be read: write a whole number, such as 7"),
    ],
)
def test_a_version_that_is_none_is_said(said: dict[str, str], sentence: str, tmp_path: Path) -> None:
    assert rejection(lambda: find_source(str(tmp_path), None, said)) == sentence


def test_a_table_is_read_as_a_known_one_where_that_fits(tmp_path: Path) -> None:
    known = FileSource(path=Path("known.csv"), delimiter=";", encoding="utf-8")
    alike = write(tmp_path / "alike.csv", "a;b\n1,500;2\n")
    other = write(tmp_path / "other.csv", "a\tb\n1,5\t2\n")
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    assert find_similar_source(known, str(alike), None, {"decimal": ","}).decimal == ","  # type: ignore[union-attr]
    assert find_similar_source(known, str(other), None, {}).delimiter == "\t"  # type: ignore[union-attr]
    assert find_similar_source(known, str(tmp_path / "a.parquet"), None, {}).delimiter is None  # type: ignore[union-attr]
    assert "no file or folder" in rejection(lambda: find_similar_source(known, "absent.csv", None, {}))


def test_a_utf8_file_beside_a_known_one_in_another_encoding_is_read_right_and_said(tmp_path: Path) -> None:
    known = FileSource(path=Path("known.csv"), delimiter=",", encoding="cp1252")
    for name, text, encoding in (("a", "Köln", "utf-8"), ("b", "Köln", "cp1252"), ("c", "Bonn", "cp1252")):
        path = write(tmp_path / f"{name}.csv", f"stadt,n\n{text},1\n".encode(encoding))
        found = find_similar_source(known, str(path), None, {})
        assert (found.encoding, read(open_source(found), "stadt").column(0).to_pylist()) == (encoding, [text])  # type: ignore[union-attr]
        difference = f'{path} is read with encoding "utf-8" instead of "cp1252", which the problem file says: '
        difference += "give --encoding if that is wrong"
        assert describe_difference(known, found, {}) == (difference if name == "a" else "")


def test_what_an_option_says_of_a_utf8_file_is_obeyed_and_doubted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "stadt,n\nKöln,1\n".encode())
    said = {"encoding": "cp1252"}
    found = find_similar_source(FileSource(path=Path("known.csv")), str(path), None, said)
    source = open_source(found)
    doubt = f"{path} is valid UTF-8 but read as cp1252, as was said: if letters look wrong, say utf-8"
    assert (source.notes, describe_difference(found, found, said)) == ((doubt,), "")
    assert read(source, "stadt").column(0).to_pylist() == ["KÃ¶ln"]
    for content, encoding in (("Köln", "utf-8"), ("Bonn", "cp1252"), ("Köln", "latin-1")):
        path = write(tmp_path / "b.csv", f"stadt,n\n{content},1\n".encode(encoding))
        assert open_source(FileSource(path=path, encoding=encoding)).notes == ()


def test_a_file_read_otherwise_than_the_known_one_is_said(tmp_path: Path) -> None:
    known = FileSource(path=Path("known.csv"), delimiter=";", encoding="no such", decimal=",")
    path = write(tmp_path / "a.csv", "a\tb\n1.5\t2\n")
    found = find_similar_source(known, str(path), None, {})
    assert describe_difference(known, found, {}) == (
        f'{path} is read with encoding "utf-8" instead of "no such" and delimiter "\\t" instead of ";", which the '
        "problem file says: give --encoding or --delimiter if that is wrong"
    )
    assert describe_difference(BuiltInSource(loader="flights"), found, {}) == ""


def test_a_delimiter_that_does_not_fit_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", "a\tb\n1\t2\n")
    said = rejection(lambda: read_file(path, delimiter=";"))
    assert 'only one column when split at ";": set `delimiter`' in said
    assert 'delimiter = "\\t"' in said
    for delimiter in ("§", '"', "\n"):
        with pytest.raises(InvalidTable, match="a delimiter is an ASCII character"):
            read_file(path, delimiter=delimiter)
    assert read_file(path, delimiter="\t") == [{"a": "1", "b": "2"}]
    assert read_file(write(path, "a:b\n1:2\n"), delimiter=":") == [{"a": "1", "b": "2"}]


def test_columns_of_one_name_are_rejected_by_their_places(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", "a,x,b,c, x\n1,2,3,4,5\n")
    assert rejection(lambda: read_file(path)) == f"{path}: `x` is the name of the 2nd and the 5th column: rename one"
    write(path, "".join(f"c{k}," for k in range(10)) + "y,a,y\n")
    assert "`y` is the name of the 11th and the 13th column" in rejection(lambda: read_file(path))
    write(path, "a,,\n1,2,3\n")
    assert "the 2nd and the 3rd column have no name" in rejection(lambda: read_file(path))


def test_more_columns_than_allowed_are_rejected(tmp_path: Path) -> None:
    for count in (MAX_COLUMNS, MAX_COLUMNS + 1):
        path = write(tmp_path / "wide.csv", ",".join(f"c{index}" for index in range(count)) + "\n")
        if count == MAX_COLUMNS:
            assert len(open_source(FileSource(path=path)).columns) == MAX_COLUMNS
    assert "has 2,001 columns, more than 2,000: keep fewer" in rejection(lambda: read_file(path))


def test_reports_go_up_to_one(tmp_path: Path) -> None:
    content = b"a,b,c\n" + b"".join(b"%d,%d,%s\n" % (k, k * 7919 % 1_000_003, b"x" * 50) for k in range(200_000))
    for suffix in ("", ".gz"):
        path = write(tmp_path / f"table.csv{suffix}", compress(content, suffix))
        shares: list[float] = []
        source = open_source(FileSource(path=path))
        rows = sum(batch.num_rows for batch in source.batches(["b"], shares.append))
        assert rows == 200_000
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert any(0.1 < share < 0.9 for share in shares)


def test_a_source_can_be_left_early_and_read_again(tmp_path: Path) -> None:
    source = open_source(FileSource(path=write(tmp_path / "table.csv", "a,b\n" + "12345,67890\n" * 1_000_000)))
    for _ in range(3):
        first = next(iter(source.batches(["a"], ignore)))
        assert 0 < first.num_rows < 1_000_000
    assert read(source, "a").num_rows == 1_000_000


# What is not a table.


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sales.numbers", "is a spreadsheet of another kind"),
        ("sales.feather", "is Arrow"),
        ("sales.orc", "is ORC"),
        ("sales.sas7bdat", "is a statistics package's file"),
    ],
)
def test_another_format_is_rejected_with_those_that_work(name: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, "whatever")
    rejected = rejection(lambda: find_source(str(path), None))
    assert said in rejected
    assert "a table is a CSV file" in rejected


@pytest.mark.parametrize("name", ["sales.csv", "sales", "sales.parquet"])
@pytest.mark.parametrize("content", [bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + bytes(100), b"PAR1" + bytes(100)])
def test_binary_content_is_rejected(name: str, content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / name, content)
    assert str(path) in rejection(lambda: read_file(path))
    assert str(path) in rejection(lambda: open_source(find_source(str(path), None)))


def test_random_bytes_are_rejected(tmp_path: Path) -> None:
    random.seed(1)
    for size in (10, 100, 10_000):
        with pytest.raises(InvalidTable, match=r"noise\.csv"):
            read_file(write(tmp_path / "noise.csv", random.randbytes(size) + b"\0"))


def test_a_file_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "nothing.csv"
    assert rejection(lambda: read_file(path)) == f"there is no file or folder {path}"
    assert rejection(lambda: find_source(str(path), None)) == f"there is no file or folder {path}"
    assert "can't be read" in rejection(lambda: find_source("x" * 5000, None))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", SALES)
    path.chmod(0)
    assert "Permission denied" in rejection(lambda: read_file(path))


def test_neither_a_file_nor_a_folder_is_rejected() -> None:
    assert "is neither a file nor a folder" in rejection(lambda: find_source(os.devnull, None))


# Parquet.

TYPED = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int32()),
        "x.y": [0.5, None, 2.5],
        "town": pa.array(["Bonn", None, "Ulm"]).dictionary_encode(),
        "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, None], pa.timestamp("ms", "Europe/Berlin")),
        "ok": [True, False, None],
    }
)


def test_a_parquet_file_keeps_its_types_whatever_its_name(tmp_path: Path) -> None:
    for name in ("table.parquet", "table.data"):
        pa.parquet.write_table(TYPED, tmp_path / name)
        found = find_source(str(tmp_path / name), None)
        assert found == FileSource(path=tmp_path / name)
        source = open_source(found)
        assert source.typed
        assert source.rows == 3
        assert source.columns == tuple(TYPED.column_names)
        assert read(source, "x.y", "town", "at").equals(TYPED.select(["x.y", "town", "at"]))
    assert "has no column `y`" in rejection(lambda: read(source, "y"))


def test_a_parquet_file_is_streamed(tmp_path: Path) -> None:
    table = pa.table({"n": range(300_000)})
    pa.parquet.write_table(table, tmp_path / "table.parquet")
    shares: list[float] = []
    source = open_source(FileSource(path=tmp_path / "table.parquet"))
    batches = list(source.batches(["n"], shares.append))
    assert len(batches) > 3
    assert pa.Table.from_batches(batches).equals(table)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_folder_is_one_table_in_the_order_of_names(tmp_path: Path) -> None:
    for month in (10, 2):
        folder = tmp_path / "env=test" / "year=2024" / f"month={month}"
        folder.mkdir(parents=True)
        pa.parquet.write_table(pa.table({"n": [month, None]}), folder / "part.parquet")
    empty = pa.table({"n": pa.nulls(1)})  # pandas writes a column without values so
    pa.parquet.write_table(empty, tmp_path / "env=test" / "year=2024" / "month=10" / "another.pq")
    for other in ("_metadata.parquet", ".hidden.parquet", "README.md"):
        write(tmp_path / "env=test" / other, "no table")
    source = open_source(FileSource(path=tmp_path / "env=test"))
    assert source.columns == ("n", "year", "month")
    assert source.rows == 5
    assert read(source).to_pydict() == {
        "n": [None, 10, None, 2, None], "year": [2024] * 5, "month": [10, 10, 10, 2, 2]
    }  # fmt: skip


def test_a_folder_of_several_tables_is_rejected(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"n": [1], "m": [1]}), tmp_path / "a.parquet")
    pa.parquet.write_table(pa.table({"n": [1]}), tmp_path / "b.parquet")
    said = rejection(lambda: open_source(FileSource(path=tmp_path)))
    assert "a.parquet has a column `m` and" in said
    assert "b.parquet has none" in said
    pa.parquet.write_table(pa.table({"n": [1], "m": ["x"]}), tmp_path / "b.parquet")
    said = rejection(lambda: open_source(FileSource(path=tmp_path)))
    assert "b.parquet" in said
    assert "int64 vs string" in said


def test_a_folder_without_parquet_is_rejected(tmp_path: Path) -> None:
    write(tmp_path / "table.csv", SALES)
    assert "is a folder without Parquet files" in rejection(lambda: open_source(FileSource(path=tmp_path)))


def test_a_damaged_parquet_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = pa.table({"n": [random.random() for _ in range(100_000)]})
    pa.parquet.write_table(table, path, write_page_checksum=True)
    content = path.read_bytes()
    write(path, content[: len(content) // 2])
    assert "can't be read as Parquet" in rejection(lambda: open_source(FileSource(path=path)))
    write(path, content[:50_000] + bytes(1000) + content[51_000:])
    source = open_source(FileSource(path=path))
    assert "can't be read" in rejection(lambda: read(source))


def test_parquet_columns_of_one_name_are_rejected(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(twice, tmp_path / "table.parquet")
    rejected = rejection(lambda: open_source(FileSource(path=tmp_path / "table.parquet")))
    assert "`a` is the name of the 1st and the 2nd column" in rejected


def test_a_parquet_file_without_rows_has_columns(tmp_path: Path) -> None:
    pa.parquet.write_table(TYPED.slice(0, 0), tmp_path / "table.parquet")
    source = open_source(FileSource(path=tmp_path / "table.parquet"))
    assert source.rows == 0
    assert read(source).num_rows == 0


# A database.


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database in the working folder."""
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect("shop.db")
    connection.execute("CREATE TABLE sales (id, price, mixed, town, empty)")
    connection.executemany(
        "INSERT INTO sales VALUES (?, ?, ?, ?, NULL)",
        [(k, k if k < 11_000 else k / 2, k if k < 11_000 else "x", f"town {k}") for k in range(25_000)],
    )
    connection.commit()
    connection.close()
    return "sqlite:///shop.db"


def query(url: str, text: str, *columns: str) -> pa.Table:
    return read(open_source(SqlSource(url=url, query=text)), *columns)


def test_a_type_holds_all_rows_though_the_first_say_another(shop: str) -> None:
    source = open_source(find_source(shop, "SELECT * FROM sales ORDER BY id"))
    assert source.typed
    assert source.rows == 25_000
    assert source.description == shop
    shares: list[float] = []
    batches = list(source.batches(["mixed", "price", "id", "empty", "town"], shares.append))
    assert len({batch.schema for batch in batches}) == 1
    assert batches[0].schema.types == [pa.string(), pa.float64(), pa.int64(), pa.null(), pa.string()]
    table = pa.Table.from_batches(batches)
    assert table["id"].to_pylist() == list(range(25_000))
    assert table["mixed"][10_999].as_py() == "10999"
    assert table["mixed"][11_000].as_py() == "x"
    assert shares == pytest.approx([0.4, 0.8, 1.0, 1.0])
    assert "has no column `cost`" in rejection(lambda: read(source, "cost"))


def test_a_query_is_taken_as_it_is(shop: str) -> None:
    text = "WITH a AS (SELECT town FROM sales) SELECT town, ':x' AS c FROM a WHERE town LIKE 'town 1%' -- all ;"
    assert query(shop, text).num_rows == 11_111
    assert query(shop, "SELECT count(*) AS n FROM sales;\n").to_pylist() == [{"n": 25_000}]
    assert query(shop, "SELECT id FROM sales WHERE id < 0").num_rows == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DELETE FROM sales", "readonly database"),
        ("DELETE FROM sales RETURNING id", "readonly database"),
        ("CREATE TABLE copy (id)", "readonly database"),
        ("SELECT 1 AS a; DELETE FROM sales", "one statement"),
        ("PRAGMA query_only = OFF", "returns no rows"),
        ("  ", "returns no rows"),
        ("SELECT nothing_such FROM sales", "no such column: nothing_such"),
        ("SELECT * FROM purchases", "no such table: purchases"),
        ("SELEC", "syntax error"),
        ("SELECT id, town AS id FROM sales", "`id` is the name of the 1st and the 2nd column"),
    ],
)
def test_a_query_that_writes_or_is_wrong_is_rejected(shop: str, text: str, said: str) -> None:
    rejected = rejection(lambda: query(shop, text))
    assert said in rejected
    assert shop in rejected
    assert query(shop, "SELECT id FROM sales").num_rows == 25_000


def test_a_value_that_breaks_on_the_way_is_one_sentence(shop: str) -> None:
    text = "SELECT CASE WHEN id = 20000 THEN abs(-9223372036854775807 - 1) ELSE id END AS n FROM sales"
    assert "integer overflow" in rejection(lambda: query(shop, text))
    source = open_source(SqlSource(url=shop, query="SELECT CAST(x'ff' AS TEXT) AS t FROM sales"))
    assert "Could not decode to UTF-8" in rejection(lambda: read(source))


def test_a_missing_sqlite_file_is_rejected_and_not_made(shop: str, tmp_path: Path) -> None:
    assert rejection(lambda: query("sqlite:///other.db", "SELECT 1")) == "there is no SQLite file other.db"
    assert not (tmp_path / "other.db").exists()
    assert "write sqlite:///shop.db" in rejection(lambda: query("sqlite://", "SELECT 1"))
    assert query(f"sqlite:///{tmp_path}/shop.db", "SELECT 1 AS a").to_pylist() == [{"a": 1}]


def test_what_is_no_database_is_rejected(shop: str, tmp_path: Path) -> None:
    write(tmp_path / "table.csv", SALES * 100)
    assert "file is not a database" in rejection(lambda: query("sqlite:///table.csv", "SELECT 1 FROM sales"))
    assert "give sqlite:///shop.db and a query" in rejection(lambda: find_source("shop.db", None))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://u:geheim@h/d", "`nonsense` is not a database that SQLAlchemy knows"),
        ("postgres://u:geheim@h/d", "e.g. postgresql://"),
        ("oracle://u:geheim@h/d", "oracle://u@h/d needs the Python module oracledb"),
        ("postgresql://u:geheim@h:port/d", "@ : / % in a password are"),
        ("postgresql://u:ge@heim@h/d", "@ : / % in a password are"),
        ("postgresql://u:x@heim/geheim@h/d", "@ : / % in a password are"),
        ("postgresql://u/x:geheim@h/d", "@ : / % in a password are"),
        ("postgresql://u:geheim@127.0.0.1:1/d", "postgresql://u@127.0.0.1:1/d: connection failed"),
        ("postgresql://u:gehe%69m@nowhere.invalid/d", "nowhere.invalid"),
        ("postgresql://127.0.0.1:1/d?password=geheim", "connection failed"),
    ],
)
def test_a_database_out_of_reach_is_rejected_at_once_without_its_password(url: str, said: str) -> None:
    began = time.monotonic()
    rejected = rejection(lambda: open_source(SqlSource(url=url, query="SELECT 1")))
    assert said in rejected
    assert "eheim" not in rejected
    assert time.monotonic() - began < 30  # not the minutes that TCP would wait


def test_variables_of_the_environment_stand_for_parts_of_a_url(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SHOP": shop,
        "FILE": "shop.db",
        "ANN": "ann@home",
        "PW": "ge:h@/eim",
        "AT": "127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    for url in ("$SHOP", "${SHOP}", "sqlite:///$FILE", "sqlite:///${FILE}"):
        assert query(url, "SELECT 1 AS a").to_pylist() == [{"a": 1}]
        assert find_source(url, "SELECT 1") == SqlSource(url=url, query="SELECT 1")
    rejected = rejection(lambda: query("postgresql://$ANN:${PW}@$AT/d", "SELECT 1"))
    assert rejected.startswith("postgresql://ann%40home@127.0.0.1:1/d: connection failed")
    for url in ("$NOT_THERE", "sqlite:///${NOT_THERE}", "postgresql://ann:$NOT_THERE@h/d"):
        with pytest.raises(InvalidTable, match=r"needs \$NOT_THERE, which is not set"):
            query(url, "SELECT 1")


def test_a_password_is_replaced_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "another")
    found = find_source("postgresql://ann:ge%40heim$x@127.0.0.1:1/shop?sslmode=disable", "SELECT 1")
    assert found == SqlSource(
        url="postgresql://ann:${DATABASE_PASSWORD}@127.0.0.1:1/shop?sslmode=disable", query="SELECT 1"
    )
    assert os.environ[PASSWORD_VARIABLE] == "ge@heim$x"
    for url in ("postgresql://ann@h/d", "postgresql://ann:$PW@h/d", "postgresql://h/d?passfile=x&password=${PW}"):
        assert find_source(url, "SELECT 1") == SqlSource(url=url, query="SELECT 1")
    assert os.environ[PASSWORD_VARIABLE] == "ge@heim$x"
    rejected = rejection(lambda: find_source("postgresql://h/d?password=geheim", "SELECT 1"))
    assert "the URL's option `password`" in rejected
    assert "geheim" not in rejected


def test_a_url_goes_with_a_query_and_a_path_without(shop: str, tmp_path: Path) -> None:
    assert "needs a query" in rejection(lambda: find_source(shop, None))
    assert "--query goes with a database URL" in rejection(lambda: find_source(str(tmp_path / "a.csv"), "SELECT 1"))
    assert "download it first" in rejection(lambda: find_source("https://example.org/a.csv", None))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, 2**62], pa.int64(), [1, None, 2**62]),
        ([1, 0.5, None], pa.float64(), [1.0, 0.5, None]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["True", "1"]),
        ([1, "x"], pa.string(), ["1", "x"]),
        ([date(2024, 1, 2)], pa.date32(), [date(2024, 1, 2)]),
        ([datetime(2024, 1, 2), date(2024, 1, 2)], pa.string(), ["2024-01-02 00:00:00", "2024-01-02"]),
        ([datetime(2024, 1, 2)], pa.timestamp("us"), [datetime(2024, 1, 2)]),
        ([memoryview(b"a"), b"b", bytearray(b"c")], pa.binary(), [b"a", b"b", b"c"]),
        ([["a", 1]], pa.string(), ["['a', 1]"]),
        ([np.float64(0.5), np.int32(2)], pa.float64(), [0.5, 2.0]),
        ([None, None], pa.null(), [None, None]),
        ([], pa.null(), []),
    ],
)
def test_a_driver_s_values_become_one_type(values: list[object], kind: pa.DataType, expected: list[object]) -> None:
    simple = simplify(values)
    assert choose_type(find_kinds(simple)) == kind
    assert to_array(simple, kind).to_pylist() == expected


# The built-in table.


def test_the_built_in_table_is_a_source() -> None:
    source = open_source(BuiltInSource(loader="flights"))
    assert source.description == "flights"
    assert source.typed
    shares: list[float] = []
    (batch,) = source.batches(["late", "carrier", "scheduled_departure", "temp"], shares.append)
    assert batch.num_rows == 327_346
    assert batch.schema.field("late").type == pa.bool_()
    assert batch.schema.field("scheduled_departure").type == pa.timestamp("s")
    assert batch["temp"].null_count > 0
    assert source.notes == ("left out: 9,430 cancelled or diverted flights",)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(source.columns) == 21
    assert "has no column `arr_delay`" in rejection(lambda: read(source, "arr_delay"))


def test_a_missing_column_is_told_on_one_line_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"first\nname",age\na,1\n', encoding="utf-8")
    source = open_source(FileSource(path=tmp_path / "t.csv"))
    with pytest.raises(InvalidTable) as caught:
        list(source.batches(["first name"], lambda _: None))
    assert str(caught.value).endswith(r"no column `first name`; did you mean `first\nname`?; it has: first\nname, age")
