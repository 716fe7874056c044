"""From the spellings of a table to the types of the schema, and the other way what doesn't fit them."""

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import FLOAT32_MAX, NULL_SPELLINGS, Kind
from ekiben.contract.spellings.spelling import Spelling
from ekiben.training.tables.conversion import convert, to_double, to_plain
from ekiben.training.tables.date_formats import choose_format, find_formats
from ekiben.training.tables.labels import LabelReader

KINDS: tuple[Kind, ...] = ("number", "category", "boolean", "timestamp")
TYPES = {"number": pa.float32(), "category": pa.dictionary(pa.int32(), pa.string()), "boolean": pa.bool_()}
BERLIN = timezone(timedelta(hours=2))


def read(values: Any, kind: Kind, **how: Any) -> list[Any]:
    """Return the values converted, "misfit" where one can't be."""
    raw = values if isinstance(values, pa.Array) else pa.array(values)
    converted = convert(raw, kind, Spelling(**how))
    assert len(converted.values) == len(raw)
    parse_failure = converted.parse_failure if converted.parse_failure is not None else np.zeros(len(raw), bool)
    assert converted.parse_failure is None or parse_failure.any()
    shown = zip(converted.values.to_pylist(), parse_failure, strict=True)
    return ["misfit" if strange else value for value, strange in shown]


# Missing values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", sorted(NULL_SPELLINGS))
def test_what_tables_write_for_missing_is_null(kind: Kind, text: str) -> None:
    assert read([text, f"  {text}\t", None], kind) == [None, None, None]


@pytest.mark.parametrize("text", ["none", "-", "missing", "N.A.", "nothing", "0"])
def test_no_other_text_is_missing(text: str) -> None:
    assert read([text], "category") == [text]


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_without_a_type_is_all_missing(kind: Kind) -> None:
    assert read(pa.nulls(2), kind) == [None, None]
    assert read(pa.array([], pa.string()), kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_is_that_of_the_kind(kind: Kind) -> None:
    for raw in (pa.array(["x", None]), pa.array([1, 2]), pa.array([b"x"]), pa.nulls(1), pa.array([date(2013, 1, 1)])):
        assert convert(raw, kind).values.type == TYPES.get(kind, pa.timestamp("s"))
        if kind == "timestamp":
            assert convert(raw, kind, Spelling(zoned=True)).values.type == pa.timestamp("s", "UTC")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "raw",
    [
        pa.array([b"1"]),
        pa.array([[1]]),
        pa.array([{"a": 1}]),
    ],
    ids=["binary", "list", "struct"],
)
def test_a_type_without_a_kind_is_a_parse_failure(kind: Kind, raw: pa.Array) -> None:
    assert read(raw, kind) == ["misfit"]


def test_a_time_of_day_is_no_date_and_a_duration_no_number_but_of_that_format() -> None:
    assert read(pa.array([time(8, 30)]), "timestamp") == ["misfit"]
    assert read(pa.array([timedelta(1)]), "number") == ["misfit"]
    assert convert(pa.array([timedelta(1)]), "number", Spelling(format="duration")).values.to_pylist() == [86_400.0]


# Numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[
            ("1", 1),
            (" 1 ", 1),
            ("+5", 5),
            ("-5", -5),
            ("−5", -5),
            (".5", 0.5),
            ("5.", 5),
            ("1e-3", 0.001),
            ("1E3", 1000),
        ],
        *[
            ("1,234.5", 1234.5),
            ("1,234,567", 1234567),
            ("1 234", 1234),
            ("1\u202f234,5", "misfit"),
            ("1'234.5", 1234.5),
        ],
        *[("1’234", 1234), ("1_000", 1000), ("\u00a01\u00a0234\u00a0", 1234)],
        *[("۱۲۳", 123), ("۱۲۳٫۵", 123.5), ("۱٬۲۳۴", 1234), ("٤٢", 42), ("１２", 12), ("४२", 42)],
        *[("$1,234", 1234), ("-$5", -5), ("$-5", -5), ("€ 5", 5), ("5 €", 5), ("₹7", 7), ("12 %", 12), ("12%", 12)],
        *[("1,5", "misfit"), ("0,123", "misfit"), ("12,34", "misfit"), ("1,234 567", "misfit"), ("1,2345", "misfit")],
        *[
            ("1.2.3", "misfit"),
            ("--5", "misfit"),
            ("5-", -5),
            ("1e", "misfit"),
            ("e5", "misfit"),
            (".", "misfit"),
        ],
        *[("0x1F", "misfit"), ("1/2", "misfit"), ("$", "misfit"), ("%", "misfit"), ("10²", "misfit"), ("½", "misfit")],
        *[("inf", "misfit"), ("-Infinity", "misfit"), ("1e39", "misfit"), ("-1e400", "misfit"), ("true", "misfit")],
        *[("2013-07-04", "misfit"), ("17:30", "misfit"), ("5 kg", "misfit"), ("five", "misfit"), ("5 5", "misfit")],
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, number: float | str) -> None:
    wanted = number if isinstance(number, str) else float(np.float32(number))
    assert read([text], "number") == [wanted]
    assert read(["7", "x", text, None], "number") == [7, "misfit", wanted, None]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("1,5", 1.5), ("1.234,5", 1234.5), ("1.234", 1234), ("1.234.567", 1234567), ("1 234,5", 1234.5), ("5,", 5)],
        *[(",5", 0.5), ("3", 3), ("-1,5e3", -1500), ("1,5 €", 1.5), ("۱۲۳٫۵", 123.5), ("۱٬۲۳۴", 1234)],
        *[("1.5", "misfit"), ("1,234.5", "misfit"), ("1,5,5", "misfit"), ("0.123", "misfit")],
    ],
)
def test_the_decimal_point_may_be_a_comma(text: str, number: float | str) -> None:
    assert read([text], "number", decimal=",") == [number]
    assert read(["7,5", text, "x"], "number", decimal=",") == [7.5, number, "misfit"]


@pytest.mark.parametrize(
    ("raw", "numbers"),
    [
        (pa.array([1, None, -3]), [1, None, -3]),
        (pa.array([2**63 - 1], pa.int64()), [float(np.float32(2**63))]),
        (pa.array([2**64 - 1], pa.uint64()), [float(np.float32(2**64))]),
        (pa.array([1.5, math.nan, None]), [1.5, None, None]),
        (pa.array([math.inf, -math.inf, 1e39, FLOAT32_MAX]), ["misfit"] * 3 + [FLOAT32_MAX]),
        (pa.array([0.5, None], pa.float16()), [0.5, None]),
        (pa.array([Decimal("1.50"), None]), [1.5, None]),
        (pa.array([Decimal("1.50"), None], pa.decimal32(4, 2)), [1.5, None]),
        (pa.array([Decimal("1e40")]), ["misfit"]),
        (pa.array([True, False, None]), [1, 0, None]),
        (pa.array([date(2013, 7, 4)]), ["misfit"]),
        (pa.array([datetime(2013, 7, 4), None]), ["misfit", None]),
        (pa.array([time(17, 30)]), ["misfit"]),
    ],
)
def test_typed_numbers(raw: pa.Array, numbers: list[Any]) -> None:
    assert read(raw, "number") == numbers


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)), st.sampled_from([repr, "{:.9g}".format]))
def test_every_number_that_is_written_is_read_back(numbers: list[float], write: Any) -> None:
    assert read(pa.array([write(number) for number in numbers], pa.string()), "number") == numbers


@settings(deadline=None)
@given(st.lists(st.decimals(-(10**9), 10**9, places=2)), st.sampled_from([",.", " .", "'.", "_.", ".,", " ,"]))
def test_grouped_numbers_are_read_back(numbers: list[Decimal], marks: str) -> None:
    swap = str.maketrans(",.", marks)
    strings = [f"{number:,.2f}".translate(swap) for number in numbers]
    read_back = to_double(to_plain(pa.array(strings, pa.string())), Spelling(decimal=marks[1])).to_pylist()
    assert read_back == [float(number) for number in numbers]


# Booleans


@pytest.mark.parametrize(
    ("yes", "no"), [("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("on", "off"), ("1", "0")]
)
def test_true_and_false_in_any_case(yes: str, no: str) -> None:
    strings = [yes, no.upper(), yes.title(), f" {no} ", None]
    assert read(strings, "boolean") == [True, False, True, False, None]


@pytest.mark.parametrize("text", ["2", "-1", "ja", "tru", "10", "0.5", "yes no", "+1"])
def test_other_words_are_no_booleans(text: str) -> None:
    assert read(["true", text], "boolean") == [True, "misfit"]


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (pa.array([True, None, False]), [True, None, False]),
        (pa.array([1, 0, 2, None]), [True, False, "misfit", None]),
        (pa.array([1.0, 0.0, 0.5, math.nan]), [True, False, "misfit", None]),
        (pa.array([Decimal("1.0"), Decimal("0.0")]), [True, False]),
        (pa.array([date(1970, 1, 2)]), ["misfit"]),
    ],
)
def test_typed_booleans(raw: pa.Array, values: list[Any]) -> None:
    assert read(raw, "boolean") == values


# Timestamps

NOON = datetime(2013, 7, 4, 12)


@pytest.mark.parametrize(
    "text",
    [
        *["2013-07-04T12:00:00", "2013-07-04 12:00:00", "2013-07-04 12:00", "2013-07-04T12", " 2013-07-04T12:00 "],
        *["2013-07-04T12:00:00.999", "2013-07-04T12:00:00.999999", "2013-07-04 12:00:00.999999999", "20130704T120000"],
    ],
)
def test_iso_8601_is_read(text: str) -> None:
    assert read([text], "timestamp") == [NOON]
    assert read(["1969-12-31", text, "x", ""], "timestamp") == [datetime(1969, 12, 31), NOON, "misfit", None]


@pytest.mark.parametrize(
    "text",
    [
        "2013",
        "2013-07",
        "17:30",
        "2013-02-30",
        "2013-07-04T25:00",
        "4.7.2013",
        "0000-01-01",
        "10000-01-01",
        "now",
        "1e9",
    ],
)
def test_what_is_no_date_is_a_parse_failure(text: str) -> None:
    assert read([text], "timestamp") == ["misfit"]
    assert read(["2013-07-04", text], "timestamp") == [datetime(2013, 7, 4), "misfit"]


@pytest.mark.parametrize("text", ["2013-07-04T12:00:00Z", "2013-07-04T12:00+00:00", "2013-07-04 14:00:00.5+02:00"])
def test_an_offset_is_wanted_or_rejected(text: str) -> None:
    moment = NOON.replace(tzinfo=UTC)
    assert read([text], "timestamp", zoned=True) == [moment]
    assert read([text, "2013-07-04T12:00:00"], "timestamp", zoned=True) == [moment, "misfit"]
    assert read([text], "timestamp") == ["misfit"]
    assert read([text, "2013-07-04T12:00:00"], "timestamp") == ["misfit", NOON]


def test_a_moment_outside_of_the_calendar_in_utc_is_a_parse_failure() -> None:
    strings = ["0001-01-01T00:00:00+01:00", "9999-12-31T23:00:00-02:00"]
    assert read(strings, "timestamp", zoned=True) == ["misfit", "misfit"]


@pytest.mark.parametrize(
    ("format", "text", "moment"),
    [
        ("%d.%m.%Y", "4.7.2013", datetime(2013, 7, 4)),
        ("%d.%m.%Y %H:%M", " 04.07.2013 12:00 ", NOON),
        ("%m/%d/%Y %I:%M %p", "07/04/2013 12:00 PM", NOON),
        ("%d-%b-%y", "04-Jul-13", datetime(2013, 7, 4)),
        ("%d.%m.%Y", "31.2.2013", "misfit"),
        ("%d.%m.%Y", "4.7.2013 12:00", "misfit"),
        ("%d.%m.%Y", "2013-07-04", datetime(2013, 7, 4)),
        ("%Y-%d-%m", "2013-04-07", datetime(2013, 7, 4)),
        ("%Y-%d-%m", "2013-04-13", "misfit"),
        ("%d.%m.%Y", "now", "misfit"),
        ("%d.%m.%Y", "today", "misfit"),
    ],
)
def test_a_format_is_read(format: str, text: str, moment: Any) -> None:
    assert read([text, None, "NA"], "timestamp", format=format) == [moment, None, None]


def test_a_format_with_an_offset_is_zoned() -> None:
    text, format = "04.07.2013 14:00 +0200", "%d.%m.%Y %H:%M %z"
    assert read([text], "timestamp", format=format, zoned=True) == [NOON.replace(tzinfo=UTC)]
    assert read([text], "timestamp", format=format) == ["misfit"]
    assert read(["04.07.2013"], "timestamp", format="%d.%m.%Y", zoned=True) == ["misfit"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_timestamps_are_cut_to_seconds(unit: str) -> None:
    before_1970 = pa.array([-1], pa.timestamp(unit))
    assert read(before_1970, "timestamp") == [datetime(1969, 12, 31, 23, 59, 59)]
    assert read(pa.array([NOON, None], pa.timestamp(unit)), "timestamp") == [NOON, None]


def test_typed_timestamps_with_a_zone_are_zoned() -> None:
    raw = pa.array([datetime(2013, 7, 4, 14, tzinfo=BERLIN)], pa.timestamp("us", "Europe/Berlin"))
    assert read(raw, "timestamp", zoned=True) == [NOON.replace(tzinfo=UTC)]
    assert read(raw, "timestamp") == ["misfit"]
    assert read(pa.array([NOON]), "timestamp", zoned=True) == ["misfit"]


def test_other_types_as_timestamps() -> None:
    assert read(pa.array([date(2013, 7, 4), None]), "timestamp") == [datetime(2013, 7, 4), None]
    assert read(pa.array([date(2013, 7, 4)], pa.date64()), "timestamp") == [datetime(2013, 7, 4)]
    assert read([20130704, 20130231], "timestamp", format="%Y%m%d") == [datetime(2013, 7, 4), "misfit"]
    assert read([20130704], "timestamp") == ["misfit"]
    assert read([1.5], "timestamp") == ["misfit"]
    assert read([True], "timestamp") == ["misfit"]


@settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))), st.sampled_from("T "))
def test_every_moment_that_is_written_is_read_back(moments: list[datetime], between: str) -> None:
    strings = pa.array([moment.isoformat(between) for moment in moments], pa.string())
    assert read(strings, "timestamp") == [moment.replace(microsecond=0) for moment in moments]


# Categories


@pytest.mark.parametrize(
    ("raw", "strings"),
    [
        (pa.array(["a", " b ", "", None]), ["a", "b", None, None]),
        (pa.array([1, None, -3]), ["1", None, "-3"]),
        (pa.array([1.0, 1.5, math.nan, 3e15]), ["1", "1.5", None, "3000000000000000"]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        (pa.array([Decimal("5.00"), Decimal("5.10")]), ["5", "5.10"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([date(2013, 7, 4)]), ["2013-07-04"]),
        (pa.array([NOON]), ["2013-07-04T12:00:00"]),
        (pa.array([datetime(2013, 7, 4, 14, tzinfo=BERLIN)]), ["2013-07-04T12:00:00+00:00"]),
        (pa.array([time(17, 30)], pa.time32("s")), ["17:30:00"]),
    ],
)
def test_categories_are_strings(raw: pa.Array, strings: list[Any]) -> None:
    assert read(raw, "category") == strings


# Encodings of the same values


@pytest.mark.parametrize("kind", KINDS)
def test_how_strings_are_stored_makes_no_difference(kind: Kind) -> None:
    strings = pa.array(["skipped", "1", "NA", "2013-07-04", "true", None, "1", "1,234", "x"])
    plain = strings.slice(1)
    wanted = read(plain, kind)
    assert len({repr(value) for value in wanted}) > 2
    encoded = plain.dictionary_encode()
    views = pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.string_view()))
    for stored in (plain.cast(pa.large_string()), plain.cast(pa.string_view()), encoded, views):
        assert read(stored, kind) == wanted
    assert read(pa.concat_arrays([plain, plain]), kind) == wanted * 2


@settings(deadline=None, max_examples=40)
@given(st.lists(st.none() | st.text(max_size=12) | st.from_regex(r"[-+$€]?[\d.,' ]{1,8}%?", fullmatch=True)))
def test_any_text_is_a_value_or_missing_or_a_parse_failure(strings: list[str | None]) -> None:
    raw = pa.array(strings, pa.string())
    for kind in KINDS:
        for how in ({}, {"decimal": ","}, {"zoned": True}, {"format": "%d.%m.%Y"}):
            converted = convert(raw, kind, Spelling(**how))  # type: ignore[arg-type]
            missing = np.array([text is None or text.strip() in NULL_SPELLINGS for text in strings], bool)
            parse_failure = np.zeros(len(strings), bool) if converted.parse_failure is None else converted.parse_failure
            assert (converted.values.is_null().to_numpy(zero_copy_only=False) == (missing | parse_failure)).all()
            assert not (missing & parse_failure).any()


# Formats of dates


@pytest.mark.parametrize(
    ("strings", "format"),
    [
        (["2013-07-04", "2013-07-04T17:30"], ""),
        (["20130704", "20131231"], ""),
        (["04.07.2013", "31.12.2013"], "%d.%m.%Y"),
        (["31.12.2013 17:30", "1.1.2014 5:05"], "%d.%m.%Y %H:%M"),
        (["13/02/2013", "01/02/2013"], "%d/%m/%Y"),
        (["02/13/2013", "01/02/2013"], "%m/%d/%Y"),
        (["2013/07/04 17:30:00"], "%Y/%m/%d %H:%M:%S"),
        (["04-Jul-2013"], "%d-%b-%Y"),
        (["Jul 4, 2013"], "%b %d, %Y"),
        (["July 4, 2013"], "%B %d, %Y"),
        (["13.02.13"], "%d.%m.%y"),
        (["9/23/2019 0:00"], "%m/%d/%Y %H:%M"),
        (["23/9/2019 5:30 PM"], "%d/%m/%Y %I:%M %p"),
        (["04/Jul/2013:17:30:00 +0000"], "%d/%b/%Y:%H:%M:%S %z"),
        (["Thu, 04 Jul 2013 17:30:00 GMT"], "%a, %d %b %Y %H:%M:%S GMT"),
        (["2013-07-04 17:30:00 UTC"], "%Y-%m-%d %H:%M:%S UTC"),
        (["2013-7-4", "2013-12-31"], "%Y-%m-%d"),
    ],
)
def test_the_format_of_dates_is_found(strings: list[str], format: str) -> None:
    assert find_formats(pa.array([*strings, None])) == [format]
    assert choose_format([format], pa.array(strings)) == (format, False)
    assert "misfit" not in read(strings, "timestamp", format=format, zoned="%z" in format)


@pytest.mark.parametrize(
    "strings",
    [
        [],
        ["x"],
        ["1234"],
        ["1.5"],
        ["24:30"],
        ["10.0.0.1"],
        ["4.7.2013", "x"],
        ["31.02.2013"],
        ["1/2"],
        ["A-12-2013-77"],
    ],
)
def test_what_is_no_date_has_no_format(strings: list[str]) -> None:
    assert find_formats(pa.array(strings, pa.string())) == []


@pytest.mark.parametrize(
    ("strings", "format"),
    [
        (["1/2/2013", "5/3/2013"], "%d/%m/%Y"),
        (["1/2/2013 5:30 PM", "5/3/2013 6:30 AM"], "%m/%d/%Y %I:%M %p"),
        (["1/1/2013", "2/1/2013", "3/1/2013"], "%m/%d/%Y"),
    ],
)
def test_a_doubtful_order_is_said_to_be_one(strings: list[str], format: str) -> None:
    column = pa.array(strings)
    assert choose_format(find_formats(column), column) == (format, True)


# Labels


def label(*batches: Any, typed: bool = False) -> list[Any]:
    reader = LabelReader("late", typed)
    for batch in batches:
        reader.add(batch if isinstance(batch, pa.Array) else pa.array(batch, pa.string()))
    column = reader.finish()
    assert column.name == "late"
    assert list(column.cat.categories) == sorted(set(column.dropna()))
    return [None if value != value else value for value in column.tolist()]


@pytest.mark.parametrize(
    ("strings", "labels"),
    [
        (["True", "false", None, "TRUE"], [True, False, None, True]),
        (["1", "0", "NA"], [1, 0, None]),
        (["-1", "10", "2.0"], [-1, 10, 2]),
        (["01", "2"], ["01", "2"]),
        (["1", "x"], ["1", "x"]),
        (["true", "1"], ["true", "1"]),
        (["1.5", "2"], ["1.5", "2"]),
        (["yes", "no"], ["yes", "no"]),
        ([None, ""], [None, None]),
    ],
)
def test_labels_are_what_all_of_them_say(strings: list[Any], labels: list[Any]) -> None:
    read = label(strings)
    assert read == labels
    assert [type(value) for value in read] == [type(value) for value in labels]
    assert label(strings[:1], strings[1:]) == labels


@pytest.mark.parametrize(
    ("raw", "labels"),
    [
        (pa.array(["1", "0"]), ["1", "0"]),
        (pa.array(["true", "false"]), ["true", "false"]),
        (pa.array(["1", "0"]).dictionary_encode(), ["1", "0"]),
        (pa.array([1, 0]), [1, 0]),
        (pa.array([1.0, None, 3.0]), [1, None, 3]),
        (pa.array([1.5, 3.0]), ["1.5", "3"]),
        (pa.array([Decimal("1.00"), Decimal("2.00")]), [1, 2]),
        (pa.array([True, False]), [True, False]),
        (pa.array([date(2013, 7, 4)]), ["2013-07-04"]),
    ],
)
def test_labels_of_a_source_with_types(raw: pa.Array, labels: list[Any]) -> None:
    assert label(raw, typed=True) == labels
    assert [type(value) for value in label(raw, typed=True)] == [type(value) for value in labels]


@pytest.mark.parametrize("raw", [pa.array([b"x"]), pa.array([[1]])])
def test_a_type_that_can_be_no_label_is_rejected(raw: pa.Array) -> None:
    with pytest.raises(InvalidTable, match=r"^`late` holds .*: a label is true or false, a whole number or a string$"):
        label(raw, typed=True)


def test_no_import_makes_arrow_forget_the_zone() -> None:
    import pandera.pandas  # noqa: F401  # which asks PyArrow to, for Spark's sake

    import ekiben.training.checks.skew  # noqa: F401

    raw = pa.array([datetime(2013, 7, 4, 14, tzinfo=BERLIN)])
    assert read(raw, "timestamp", zoned=True) == [NOON.replace(tzinfo=UTC)]


# Shorter ways to the same values.

CELLS = st.sampled_from(
    ("", " ", "5", " 5", "5.0", "-0.25", "1e5", "1,5", "nan", "inf", "1e39", "NA", "-", "yes", "no", None)
)


def values_of(cells: list[str | None], kind: Kind, spelling: Spelling) -> tuple[list[Any], list[bool]]:
    converted = convert(pa.array(cells, pa.string()), kind, spelling)
    failed = converted.parse_failure
    return converted.values.to_pylist(), [False] * len(cells) if failed is None else failed.tolist()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    cells=st.lists(CELLS, min_size=1, max_size=6, unique=True),
    kind=st.sampled_from(KINDS),
    spelling=st.sampled_from((Spelling(), Spelling(decimal=","), Spelling(null=("-", "5")), Spelling(integers=True))),
)
def test_a_value_is_the_same_alone_among_others_and_often(
    cells: list[str | None], kind: Kind, spelling: Spelling
) -> None:
    alone = [values_of([cell], kind, spelling) for cell in cells]
    values = [value for found, _ in alone for value in found]
    failed = [failure for _, found in alone for failure in found]
    assert values_of(cells, kind, spelling) == (values, failed)
    assert values_of(cells * 3, kind, spelling) == (values * 3, failed * 3)
