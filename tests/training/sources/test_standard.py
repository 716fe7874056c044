"""CSV text to the letter of its standard is split by Arrow, exactly as DuckDB reads it; all other is DuckDB's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben.training.sources.csv.parser import DOUBLED, UNQUOTED, Quoting, RowParser
from ekiben.training.sources.csv.standard import read_standard

NAMES = ["c0", "c1", "c2"]
_bare = st.text("a7 \té\\'", max_size=3)
_any = st.lists(st.sampled_from((*"a7,\"\n\r \t\\'\0é\x85\u2028", "\r\n", '""')), max_size=4).map("".join)
_cells = st.one_of(_bare, _any.map(lambda value: '"' + value.replace('"', '""') + '"'), _any)
_lines = st.lists(_cells, min_size=3, max_size=3).map(",".join)
_texts = st.tuples(st.lists(_lines, min_size=1, max_size=4), st.sampled_from(("\n", "\r\n", "\n\n"))).map(
    lambda parts: "".join(line + parts[1] for line in parts[0])
)


def split(text: bytes, quoting: Quoting = DOUBLED, wanted: list[str] = NAMES) -> list[list[str]] | None:
    """Return the columns as Arrow reads them, None if the text is DuckDB's."""
    rows = read_standard(text, ",", quoting.quote, NAMES, wanted)
    return None if rows is None else [column.to_pylist() for column in rows.columns]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=_texts, quoting=st.sampled_from((DOUBLED, UNQUOTED)), indices=st.sampled_from(([0], [2], [2, 0, 1])))
def test_what_arrow_splits_duckdb_reads_alike(text: str, quoting: Quoting, indices: list[int]) -> None:
    ours = split(text.encode(), quoting, [NAMES[index] for index in indices])
    unended = text.rstrip("\r\n").encode()  # a text whose last row has no newline is DuckDB's
    if ours is None or not unended:
        return
    assert split(unended, quoting) is None
    with RowParser(",", quoting, len(NAMES)) as parser:
        read = parser.parse(unended, indices, has_header=False)
    assert read.is_complete
    assert [column.to_pylist() for column in read.rows.columns] == ours


def test_values_in_quotes_are_split() -> None:
    text = b'a,"b ""c""",\r\n"","1\r\n2",""\r\n'
    assert split(text) == [["a", ""], ['b "c"', "1\r\n2"], ["", ""]]
    assert split(b'5",6,"\n', UNQUOTED) == [['5"'], ["6"], ['"']]


@pytest.mark.parametrize(
    "text",
    [
        b'1, "2",3\n',
        b'1,"2" ,3\n',
        b'1,2"2,3"\n',
        b'1,"2"2,3\n',
        b'1,2,"3\n',
        b'1,"2,3\n4,5" inches,6\n',
        b"1,2\n",
        b"1,2,3,4\n",
        b"1,2,3\n4,5,6",
        b"1,2,3\r\n4,5,6\n",
        b"1,2\r,3\n",
        b"\xef\xbb\xbf1,2,3\n",
        b"1,\xff,3\n",
    ],
)
def test_what_leaves_a_doubt_is_not_split(text: bytes) -> None:
    assert split(text) is None
    assert split(b"1,2,3\n") == [["1"], ["2"], ["3"]]


def test_signs_beyond_ascii_part_nothing() -> None:
    assert read_standard("1§2§3\n".encode(), "§", '"', NAMES, NAMES) is None
