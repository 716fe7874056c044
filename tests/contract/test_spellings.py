"""Cells one by one: tests/training/test_parity.py shows that whole columns are read alike."""

import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.feature import NULL_SPELLINGS, Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.spellings.calendar import count_days, month_length
from ekiben.contract.spellings.cells import cell_reader
from ekiben.contract.spellings.durations import read_duration
from ekiben.contract.spellings.formats import find_fault, is_clock, list_directives
from ekiben.contract.spellings.moments import EPOCH, read_moment
from ekiben.contract.spellings.months import MONTHS
from ekiben.contract.spellings.numbers import number_rules, read_number
from ekiben.contract.spellings.spelling import BLANKS, Spelling
from ekiben.contract.spellings.typed_durations import write_duration

POINT, COMMA = Spelling(), Spelling(decimal=",")


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        *[("(1,234.50)", -1234.5, None), ("1,234.50-", -1234.5, None), ("(1.234,50)", None, -1234.5)],
        *[("$-5", -5, -5), ("-$5", -5, -5), ("$(5)", -5, -5), ("(5) €", -5, -5), ("5-€", -5, -5), ("- 5", -5, -5)],
        *[("USD 5", 5, 5), ("5 USD", 5, 5), ("US$ 5", 5, 5), ("kr 5", 5, 5), ("€ 1.234", 1.234, 1234)],
        *[("CHF 1'200.-", 1200, None), ("1.200,-", None, 1200), ("5 %", 5, 5), ("-5٪", -5, -5)],
        *[("12,34,567.89", 1234567.89, None), ("1\u202f234,50", None, 1234.5), ("1'234.50", 1234.5, None)],
        *[("۱۲۳٫۵", 123.5, 123.5), ("١٬٢٣٤٫٥", 1234.5, 1234.5), ("\u200e5", 5, 5), ("1E+05", 1e5, 1e5)],
        *[("-", None, None), ("--", None, None), ("()", None, None), ("$", None, None), ("(-5)", None, None)],
        *[("5(3)", None, None), ("(5", None, None), ("-5-", None, None), ("1_0", None, None), ("1_000", 1000, 1000)],
        *[
            ("12 34", None, None),
            ("1,234 567", None, None),
            ("nan", None, None),
            ("∞", None, None),
            ("5 kg", None, None),
        ],
        *[
            ("PEN 5", None, None),
            ("ABC 5", None, None),
            ("1e39", None, None),
            ("1" * 400, None, None),
            ("²", None, None),
        ],
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, point: float | None, comma: float | None) -> None:
    assert (read_number(text, POINT), read_number(text, COMMA)) == (point, comma)


def test_facts_change_what_is_a_number() -> None:
    assert read_number("5.2 kg", Spelling(unit="kg")) == 5.2
    assert read_number("kg", Spelling(unit="kg")) is None
    assert [read_number("1,234", Spelling(grouping=mark)) for mark in (None, ",", "", "'")] == [1234, 1234, None, None]
    assert read_number("1\u00a0234", Spelling(grouping=" ")) == 1234
    assert read_number("1e5", Spelling(unit="e5")) == 1e5  # which no number may end with


@pytest.mark.parametrize("spelling", [POINT, COMMA, Spelling(unit="°C|x"), Spelling(grouping="'")])
def test_every_rule_is_a_pattern_for_both_engines(spelling: Spelling) -> None:
    """RE2 knows no look-around and no back-references, and its \\d and \\s are ASCII's."""
    rules = number_rules(spelling)
    patterns = [rule.pattern for rule, _ in (*rules.characters, *rules.beside)] + [rules.grammar.pattern]
    assert not [pattern for pattern in patterns if re.search(r"\(\?[^:]|\\[ds0-9bB]", pattern)]


@pytest.mark.parametrize(("ticks", "text"), [(7, "0:00:00.007000"), (-93_600_000, "-26:00:00"), (0, "0:00:00")])
def test_a_typed_duration_is_written_so_that_it_is_read(ticks: int, text: str) -> None:
    assert write_duration(ticks, 1000) == text
    assert read_duration(text) == ticks / 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("0:41:07", 2467), ("27:26:22", 98782), ("8:30", 30600), ("-1:00", -3600), ("0:00:01.5", 1.5)],
        *[("1 day, 2:03:04", 93784), ("0 days 00:41:07", 2467), ("PT41M7S", 2467), ("P1DT2H", 93600), ("1h 20m", 4800)],
        *[("-1 day, 23:59:59", -1), ("-1 days +23:59:59", -1), ("-1 days -00:00:01", -86401), ("-1d 2h", -93600)],
        *[("90 min", 5400), ("5s", 5), ("1:60", None), ("P", None), ("PT", None), ("h", None), ("", None), ("5", 5)],
        *[("1:2:3:4", None), ("1 month", None), ("²h", None), ("12:30 PM", None)],
    ],
)
def test_durations_are_seconds(text: str, seconds: float | None) -> None:
    assert read_duration(text) == seconds or text == "5"
    assert read_number(text, Spelling(format="duration")) == seconds


@given(st.dates())
def test_the_calendar_is_pythons(day: date) -> None:
    assert count_days(day.year, day.month, day.day) == (day - date(1970, 1, 1)).days
    assert (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1) == day.replace(
        day=month_length(day.year, day.month)
    ) or day.year == 9999


@given(
    st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31)).map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from(
        [
            "%d.%m.%Y %H:%M:%S",
            "%m/%d/%y %I:%M:%S %p",
            "%A, %d %B %Y %H:%M:%S",
            "%Y%m%d%H%M%S",
            "%j %Y %H.%M.%S",
            "%b %d %y %H:%M:%S",
        ]
    ),
)
def test_what_strftime_writes_is_read_back(moment: datetime, format: str) -> None:
    seconds = read_moment(moment.strftime(format), Spelling(format=format))
    assert EPOCH + timedelta(seconds=seconds) == moment


@pytest.mark.parametrize(
    ("text", "format", "moment"),
    [
        ("24:00", "%H:%M", datetime(1900, 1, 2)),
        ("930", "%H%M", datetime(1900, 1, 1, 9, 30)),
        ("12:30 a.m.", "%I:%M %p", datetime(1900, 1, 1, 0, 30)),
        ("4. Juli 2013", "%d. %B %Y", datetime(2013, 7, 4)),
        ("4 août 2013", "%d %B %Y", datetime(2013, 8, 4)),
        ("100% 2013", "100%% %Y", datetime(2013, 1, 1)),
        ("1700000000.9", "epoch_s", datetime(2023, 11, 14, 22, 13, 20)),
        ("43831.5", "excel", datetime(2020, 1, 1, 12)),
        ("2013-07-04", "epoch_s", datetime(2013, 7, 4)),
    ],
)
def test_a_format_reads_what_people_write(text: str, format: str, moment: datetime) -> None:
    assert EPOCH + timedelta(seconds=read_moment(text, Spelling(format=format))) == moment


@pytest.mark.parametrize(
    ("text", "format"),
    [
        *[("24:01", "%H:%M"), ("0:30 AM", "%I:%M %p"), ("29.2.2013", "%d.%m.%Y"), ("0.1.2013", "%d.%m.%Y")],
        *[
            ("2013704", "%Y%m%d"),
            ("366 2013", "%j %Y"),
            ("4. Jully 2013", "%d. %B %Y"),
            ("1e30", "epoch_s"),
            ("x", "excel"),
        ],
        *[("1e30", "epoch_s"), ("4.7.0000", "%d.%m.%Y"), ("20.13.07", "%y.%m.%d"), ("20200301", "%d%m%Y")],
    ],
)
def test_what_is_no_moment_says_what_was_expected(text: str, format: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a "):
        read_moment(text, Spelling(format=format))


def test_formats_are_looked_at_before_they_are_used() -> None:
    assert find_fault("%d.%m.%Y %% %H") is None
    assert list_directives("%d %% %Y") == {"d", "Y"}
    assert [is_clock(format) for format in ("%H:%M", "%d %H", "", "epoch_s")] == [True, False, False, False]
    assert set(MONTHS.values()) == set(range(1, 13))


@pytest.mark.parametrize(
    "feature",
    [
        Number(name="x", low=0, high=1, null=("-",)),
        Category(name="x", vocabulary=("a",), null=("-",)),
        Boolean(name="x", null=("-",)),
        Timestamp(name="x", null=("-",)),
    ],
)
def test_what_stands_for_missing_is_missing_in_every_kind(feature: Feature) -> None:
    read = cell_reader(feature)
    assert {read(text) for text in (None, *NULL_SPELLINGS, "-", f"{BLANKS}NA{BLANKS}", BLANKS)} == {None}
    assert read("missing") == "missing"
