"""A string is read as one value, or rejected with one sentence: in training, by `predict` and by the service."""

import asyncio
import contextlib
import csv
import io
import re
import zlib
from datetime import time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ekiben.contract.columns import Columns
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput, InvalidTable
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.cells import cell_reader
from ekiben.contract.spellings.formats import find_fault
from ekiben.contract.spellings.spelling import spelling_of
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.validation import expect, show
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.invocations.csv_form import CsvReader
from ekiben.service.protocols.invocations.parquet_form import ParquetReader
from ekiben.training.scoring.scorer import Scorer
from ekiben.training.scoring.summary import PROBLEM
from ekiben.training.source_config import FileSource
from ekiben.training.sources.csv.delimited import DelimitedFile
from ekiben.training.tables.conversion import convert
from ekiben.training.tables.json_rows import to_rows
from tests.every_kind import LATE

# What cells are made of: digits and marks of all scripts, blanks, words, and whole cells to be damaged.
LETTERS = "0123456789.,-−+()$€% \u00a0\u202f'’_eE:/٣٫٬１½²xTZ\n\u200e"
WORDS = [
    *("USD ", "CHF", "kr", "km", "PM", "March ", "Mär", "nan", "inf", "NA", "?", "true", "No", "0x", "-", "missing"),
    *("1,234.50", "(1.234,50)", "1'200.-", "12,34,567.8", "5-", "102.0", "1e39", "12:30", "24:00", "27:26:22"),
    *("1 day, 2:03:04", "PT41M7S", "1h 20m", "2013-07-04", "2013-07-04T17:30:00+02:00", "20130704", "2020-W10"),
    *("01.02.2013", "1/2/2013 5:30 PM", "1/2/50", "March 2020", "12-Mar-20", "1700000000", "43831.5", "060 2020"),
]
FORMATS = [
    *("", "%d.%m.%Y", "%m/%d/%Y %I:%M %p", "%d/%m/%y", "%H:%M", "%Y%m%d", "%B %Y", "%d-%b-%y", "%d%m%Y", "%j %Y"),
    *("epoch_s", "epoch_ms", "excel", "%Y-%m-%dT%H:%M:%S%z", "%Y-%d-%m", "yyyy-MM-dd"),
]
cells = st.text(LETTERS, max_size=7) | st.lists(st.sampled_from([*WORDS, *LETTERS]), max_size=4).map("".join)
almost_numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "-", "+", "(", "$", "-€ "]),
    st.sampled_from(["5", "999", "12,5", "1.234", "1,234", "1,234.50", "1.234,5", "1 234", "1'234", "1_0", "1e5"]),
    st.sampled_from(["", "", ".-", " km"]),
    st.sampled_from(["", "", "", "-", ")", "%"]),
)
# What may stand for a directive, and a little more.
PARTS = {
    "Y": ["2013", "1900", "2000", "0000", "13"],
    "y": ["00", "26", "27", "68", "69"],
    "z": ["Z", "+02:00", "-1130"],
    "m": ["1", "02", "12", "13", "0"],
    "d": ["1", "28", "29", "30", "31", "32"],
    "j": ["1", "060", "366", "367"],
    "H": ["0", "9", "23", "24"],
    "I": ["12", "1", "0", "13"],
    "M": ["00", "59", "60", "5"],
    "p": ["AM", "p.m."],
    "b": ["Feb", "mär", "Sept"],
    "B": ["February", "März", "juin"],
    "S": ["00", "59", "60"],
}


def write(format: str, draw: Any) -> str:
    """A moment in that format, or almost."""
    return re.sub("%(.)", lambda found: draw(st.sampled_from(PARTS[found[1]])), format)


@st.composite
def columns(draw: Any) -> tuple[Any, list[str]]:
    """A feature and cells for it, all of one form, as a kernel may read all at once, or of several."""
    feature = draw(features)
    likely = almost_numbers
    if isinstance(feature, Timestamp) and "%" in feature.format:
        likely = st.builds(lambda: write(feature.format, draw))
    return feature, draw(
        st.one_of(*(st.lists(each, min_size=1, max_size=4) for each in (likely, cells, likely | cells)))
    )


markers = st.lists(st.sampled_from(["-", ".", "missing", "999", "x"]), max_size=2, unique=True).map(tuple)
numbers = st.builds(
    lambda decimal, grouping, **facts: Number(
        name="x", low=-3e38, high=3e38, nullable=True, decimal=decimal, grouping=grouping, **facts
    ),
    st.sampled_from(".,"),
    st.sampled_from([None, "", "'", " ", "_"]),
    unit=st.sampled_from(["", "km", "m2", "5", "e5", "°C", "USD"]),
    format=st.sampled_from(["", "duration"]),
    null=markers,
)
moments = st.builds(
    lambda format, zoned, **facts: Timestamp(
        name="x", nullable=True, format=format, zoned="%z" in format if format else zoned, **facts
    ),
    st.sampled_from(FORMATS),
    st.booleans(),
    first_year=st.sampled_from([None, 1927, 2000]),
    null=markers,
)
categories = st.builds(Category, name=st.just("x"), vocabulary=st.just(("", "102")), nullable=st.just(True),
                       integers=st.booleans(), null=markers)  # fmt: skip
booleans = st.builds(Boolean, name=st.just("x"), nullable=st.just(True), null=markers)
features = st.one_of(numbers, numbers, numbers, moments, moments, moments, categories, booleans)


class Echo:
    """A packed model whose answer to a row tells all of its bits."""

    def __init__(self, *features: Feature) -> None:
        self.schema = Schema(name="echo", features=features, target=LATE)
        self.encoder = Encoder(self.schema)

    def start_engine(self) -> "Echo":
        return self

    def run(self, encoded: Encoded) -> np.ndarray:
        rows = zip(encoded.numbers, encoded.codes, strict=True)
        return np.array([[zlib.crc32(n.tobytes() + c.tobytes()) / 2**32] for n, c in rows], np.float32)

    def serve(self, *rows: list[str], header: bool = True) -> list[float] | str:
        """What POST /invocations answers to a CSV body, or what is wrong with its first row."""
        body = io.StringIO()
        lines = [list(self.schema.names), *rows] if header else list(rows)
        csv.writer(body, quoting=csv.QUOTE_ALL).writerows(lines)
        columns = CsvReader(self.schema, 100, lambda _: None).read(body.getvalue().encode(), header)
        try:
            return list(self.run(self.encoder.encode_rows(columns))[:, 0].astype(float))
        except InvalidInput as error:
            return "; ".join(f"`{one.field}`: {one.message}" for one in error.field_errors)

    def predict(self, *rows: list[str]) -> list[float | str]:
        """What `predict` writes for each row."""
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        scored = Scorer(self, {}).score(pa.record_batch(columns, names=list(self.schema.names)))  # type: ignore[arg-type]
        answers = zip(scored["prediction.probability"].to_pylist(), scored[PROBLEM].to_pylist(), strict=True)
        return [problem if problem is not None else answer for answer, problem in answers]


@settings(deadline=None, max_examples=400)
@given(columns())
@example((Number(name="x", low=0, high=1, nullable=True), ["1_0"]))
@example((Number(name="x", low=0, high=1, nullable=True, decimal=","), ["1.234,5 €", "7"]))
@example((Number(name="x", low=-9, high=9, nullable=True), ["5-", "7"]))
@example((Category(name="x", vocabulary=("102",), integers=True), ["102", "102.0", " 102.0 "]))
@example((Timestamp(name="x", format="%d/%m/%y", first_year=1927), ["1/2/50", "2013-07-04"]))
@example((Timestamp(name="x", format="%H:%M"), ["24:00", "8:30"]))
def test_predict_and_the_service_give_the_same_bits_or_the_same_sentence(column: tuple[Any, list[str]]) -> None:
    feature, cells = column
    echo = Echo(feature)
    predicted = echo.predict(*([text] for text in cells))
    for text, answer in zip(cells, predicted, strict=True):
        served = echo.serve([text])
        assert served == (answer if isinstance(answer, str) else [answer]), text


@settings(deadline=None, max_examples=400)
@given(columns())
def test_training_reads_what_the_service_reads(column: tuple[Any, list[str]]) -> None:
    """And what training can't read the service rejects, in the same words."""
    feature, cells = column
    echo, spelling = Echo(feature), spelling_of(feature)
    converted = convert(pa.array(cells, pa.string()), feature.kind, spelling)
    values = converted.values.to_pandas()
    for index, text in enumerate(cells):
        served = echo.serve([text])
        if converted.parse_failure is not None and converted.parse_failure[index]:
            shown = text.strip()
            assert served == f"`x`: expected {expect(feature.kind, shown, spelling)}, got {show(shown)}"
        elif not isinstance(served, str):
            frame = {"x": values.iloc[index : index + 1]}
            assert served == [float(echo.run(echo.encoder.encode(frame))[0, 0])], text
        else:
            assert "expected a number from" in served


# Whole lines: quotes that are doubled, escaped, inches, never closed or followed by blanks, and newlines within them.
LINES = [
    *("1,x", '1, "x" ', '"1" ,x', '"1" , "x, y"', '1,"say ""hi"""', '1,"say ""hi"" , "', '1,"say \\"hi\\""', "1,a\\b"),
    *('1,5"', '1,"5 in', '1,"x"y', '1,""x""', '1,"x\ny"', '1,"x\r\ny" ', '1,"\n2,x\n3,"', '1,"x\n2,y\n3,z"', '1,\t"x"'),
    *("", " ", '""', ",", "1", "1,x,", '1,\u00a0"x"', "1,\u200b", "1,\u2028", "1,NA"),
]
texts = st.builds(
    lambda mark, header, newline, lines, end: (mark + newline.join([header, *lines]) + end).encode(),
    st.sampled_from(["", "\ufeff"]),
    st.sampled_from(["n,word", '"n","word"', ' n, "word" ']),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.sampled_from(LINES[:9]) | st.sampled_from(LINES), min_size=1, max_size=4),
    st.sampled_from(["", "\n", "\r\n", "\r"]),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
@example(b'n,word\n"1" ,"x" \n')
@example(b'n,word\n1,"say \\\\ \\"hi\\""\n2,"a\\b"\n')
@example(b'n,word\r1,"5 inch\r2,"x ""y"""\r')
@example(b' n, "word" \n1,"5 in')
@example(b'n,word\r\n1,"x\r\ny"\r2,z\n')
@example(b'n,word\n1,"x ""y"" , z\nstill" , \n')
def test_predict_and_the_service_read_the_same_rows(tmp_path: Path, text: bytes) -> None:
    schema = Schema(
        name="echo",
        features=(Number(name="n", low=0, high=9, nullable=True), Category(name="word", vocabulary=(), nullable=True)),
        target=LATE,
    )
    (tmp_path / "table.csv").write_bytes(text)
    try:
        table = DelimitedFile.open(FileSource(path=tmp_path / "table.csv", delimiter=",", encoding="utf-8"))
        batches = [batch.to_pylist() for batch in table.batches(schema.names, lambda _: None)]
    except InvalidTable:
        with pytest.raises((BadRequest, InvalidInput)):
            Encoder(schema).encode_rows(CsvReader(schema, 100, lambda _: None).read(text, True))
        return
    read = [[cell_reader(feature)(row[feature.name]) for feature in schema.features] for row in chain(*batches)]
    served = CsvReader(schema, 100, lambda _: None).read(text, True).to_rows()
    assert [[row.get(name) for name in schema.names] for row in served] == read


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "yyyy-MM-dd"])
def test_what_training_sends_as_json_is_the_same_moment(format: str) -> None:
    zoned = "%z" in format
    text = re.sub("%(.)", lambda found: PARTS[found[1]][found[1] in "mdHIM"], format) if "%" in format else "2013-07-04"
    feature = Timestamp(name="x", format=format, zoned=zoned, first_year=1927)
    converted = convert(pa.array([text]), "timestamp", spelling_of(feature))
    assert converted.parse_failure is None, text
    echo = Echo(feature)
    (row,) = to_rows(echo.schema, pd.DataFrame({"x": converted.values.to_pandas()}))
    assert echo.run(echo.encoder.encode_rows([row])).tolist() == [echo.serve([text])], row


def test_every_format_here_is_one() -> None:
    assert [format for format in FORMATS if find_fault(format)] == []


def test_whole_numbers_that_pandas_made_floats_are_the_same() -> None:
    grade = Category(name="grade", vocabulary=("101", "102", "203"), integers=True)
    echo = Echo(Number(name="x", low=0, high=100), grade)
    first, second, third, fourth = echo.predict(["50", "102"], ["50", "102.0"], ["50", "203"], ["50", "203.0"])
    assert first == second != third == fourth
    assert echo.serve(["50", "102"], ["50", "102.0"], ["50", "203"], ["50", "203.0"]) == [first, first, third, third]


def test_blanks_behind_the_commas_of_a_csv_body_are_no_part_of_it() -> None:
    echo = Echo(Number(name="age", low=0, high=100), Category(name="workclass", vocabulary=("Private", "State-gov")))
    reader = CsvReader(echo.schema, 100, lambda _: None)
    bodies = (b"age,workclass\n40,Private\n", b"age, workclass\n40, Private\n", b"40, Private \n")
    answers = [echo.run(echo.encoder.encode_rows(reader.read(body, None))).tolist() for body in bodies]
    assert len(answers[0]) == 1
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("value", ["-999", " -999 ", -999, -999.0])
def test_a_marker_of_missing_is_one_in_every_protocol(value: Any) -> None:
    feature = Number(name="x", low=0, high=10, nullable=True, null=("-999",))
    assert TensorDecoder(Echo(feature).schema).read_row({"x": value}) == {"x": None}


TYPED = pa.table(
    {
        "took": pa.array([timedelta(hours=1), timedelta(microseconds=-1500), None], pa.duration("ns")),
        "start": pa.array([time(8, 30), time(23, 59, 59, 5), None], pa.time64("us")),
        "price": ["1,234.5", "(7)", "NA"],
        "open": ["yes", "F", None],
        "city": [" Bern", "NULL", "Oslo "],
        "day": pa.array([timedelta(0), timedelta(hours=1), None]),  # whose kind no duration is
    }
)


def test_predict_and_the_service_read_the_same_of_a_typed_table() -> None:
    echo = Echo(
        Number(name="took", low=-9, high=9e9, nullable=True, format="duration"),
        Timestamp(name="start", nullable=True, format="%H:%M", cycles=("hour",)),
        Number(name="price", low=-9, high=9999, nullable=True),
        Boolean(name="open", nullable=True),
        Category(name="city", vocabulary=("", "Bern", "Oslo"), nullable=True),
        Number(name="day", low=-9, high=9e9, nullable=True),
    )
    scored = Scorer(echo, {}).score(TYPED.to_batches()[0])  # type: ignore[arg-type]
    assert scored[PROBLEM].to_pylist() == [
        "`day`: expected a number, got '0:00:00'", "`day`: expected a number, got '1:00:00'", None
    ]  # fmt: skip
    columns = asyncio.run(read_parquet(echo.schema, TYPED))
    with pytest.raises(InvalidInput, match="`day`: expected a number, got '0:00:00'"):
        echo.encoder.encode_rows(columns)
    known = TYPED.set_column(5, "day", pa.array([1, 2, None]))
    scored = Scorer(echo, {}).score(known.to_batches()[0])  # type: ignore[arg-type]
    served = echo.run(echo.encoder.encode_rows(asyncio.run(read_parquet(echo.schema, known))))
    assert served[:, 0].tolist() == scored["prediction.probability"].to_pylist()


async def read_parquet(schema: Schema, table: pa.Table) -> Columns:
    body = io.BytesIO()
    pq.write_table(table, body)
    with contextlib.closing(ParquetReader(schema, 100, 2**20, lambda _: None)) as reader:
        rows, _ = await reader.read(body.getvalue(), 30)
        return rows
