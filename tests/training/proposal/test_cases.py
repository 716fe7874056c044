"""Tables as people have them, and how a careful person reads them: `init`, and then training's reader."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import InvalidProblem, ProblemConfig, read_problem
from ekiben.training.proposal import init
from ekiben.training.tables.read import Table, read_table
from tests.conftest import ROOT

CASES = ROOT / "tests" / "cases"
ROWS = 240


class Read:
    """A table of tests/cases, proposed and then read as training does."""

    def __init__(self, problem: ProblemConfig, text: str, output: str) -> None:
        self.problem, self.text, self.output = problem, text, output
        self.table: Table = read_table(problem, lambda _: None)
        assert self.table.parse_failures == ()

    def column(self, name: str) -> "pd.Series[Any]":
        """The values of a feature or of the target."""
        return self.table.frame[name]

    def ends(self, name: str) -> tuple[float, float]:
        """The least and the greatest."""
        return float(self.column(name).min()), float(self.column(name).max())

    def facts(self, name: str) -> dict[str, Any]:
        """What the problem file says of a feature."""
        return self.problem.features[name].facts()


Look = Callable[..., Read]


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """Propose a problem for a file of tests/cases, or for lines, and read the table by it."""

    def propose(table: str | list[str], target: str = "y", time: str | None = None) -> Read:
        path = CASES / table if isinstance(table, str) else tmp_path / "table.csv"
        if not isinstance(table, str):
            path.write_text("\n".join(table) + "\n", encoding="utf-8")
        output = tmp_path / "problem.toml"
        init(str(path), target, query=None, name="t", time=time, output=output, force=True)
        return Read(read_problem(output), output.read_text("utf-8"), capsys.readouterr().out)

    return propose


def of(name: str, values: list[str], delimiter: str = ",") -> list[str]:
    """A table of these values, beside a target that has nothing to do with them."""
    quote = "" if delimiter == ";" else '"'
    rows = [f"{quote}{value}{quote}{delimiter}{index * 7 % 10}" for index, value in enumerate(values)]
    return [f"{name}{delimiter}y", *rows]


def cycle(*values: str) -> list[str]:
    """ROWS of these values."""
    return [values[index % len(values)] for index in range(ROWS)]


# Numbers


@pytest.mark.parametrize("file", ["parentheses.csv", "trailing-minus.csv"])
def test_accountants_write_a_minus_in_their_own_ways(file: str, look: Look) -> None:
    read = look(f"accounting-numbers/{file}")
    assert read.facts("price") == {"kind": "number"}
    assert read.column("price").iloc[:2].tolist() == pytest.approx([-59520.14, 92199.24])
    assert read.ends("price") == pytest.approx((-99986.39, 98843.38), abs=0.01)


def test_a_target_may_be_written_so(look: Look) -> None:
    read = look("accounting-numbers/target.csv")
    assert read.problem.target.task == "regression"
    assert read.column("y").iloc[:2].tolist() == [-59520, 92199]


@pytest.mark.parametrize(
    ("file", "name", "ends"), [("prices.csv", "preis", (548.76, 99986.39)), ("shares.csv", "anteil", (0, 99.3))]
)
def test_a_decimal_comma_is_found_beside_a_sign(file: str, name: str, ends: Any, look: Look) -> None:
    read = look(f"euro-prices/{file}")
    assert read.facts(name) == {"kind": "number", "decimal": ","}
    assert read.ends(name) == pytest.approx(ends, abs=0.01)


def test_each_column_has_its_own_decimal_mark(look: Look) -> None:
    read = look("two-decimal-marks/amount-and-latitude.csv")
    assert read.ends("betrag") == pytest.approx((548.76, 99986.39), abs=0.01)
    assert read.ends("lat") == pytest.approx((47.006, 47.995))
    assert '47.293 is read with three decimals; decimal = "," reads 47,293' in read.output


def test_dots_between_thousands_are_told_from_decimals(look: Look) -> None:
    read = look("grouped-whole-numbers/inhabitants.csv")
    assert read.ends("einwohner") == (548, 99986)
    why = "every dot has three digits behind it, and whole numbers below 1,000 stand beside"
    assert f'59.520 is read as 59,520, as {why}; decimal = "." reads 59.520' in read.output
    assert look("grouped-whole-numbers/inhabitants-millions.csv").ends("v")[1] == pytest.approx(9_849_881, abs=10)


@pytest.mark.parametrize(
    ("values", "decimal", "first"),
    [
        (cycle("1,5", "2.400,25"), ",", 1.5),
        (cycle("1,5", "", "NA"), ",", 1.5),
        (cycle("0,125", "0,25"), ",", 0.125),
        (cycle("1,234.5", "2"), ".", 1234.5),
        (cycle("1.5", "2"), ".", 1.5),
        (cycle("-1,5", "2"), ",", -1.5),
        (cycle("1.234.567", "5"), ",", 1234567),
        (cycle("1,234", "2,250"), ".", 1234),
        (cycle("$1,200", "$2", "$750"), ".", 1200),
        (cycle("1.125", "7", "2.375", "5.625"), ".", 1.125),
        (cycle("1.120", "12345", "2.370"), ".", 1.12),
        (cycle("1.200", "0.5"), ".", 1.2),
        (cycle("1", "2"), ".", 1),
        (cycle("1'234.50", "5"), ".", 1234.5),
        (cycle("1\u00a0234,50", "5"), ",", 1234.5),
        (cycle("12,34,567.89", "5"), ".", 1234567.89),
        (cycle("CHF 1'200.-", "CHF 5.-"), ".", 1200),
        (cycle("€ 1.250", "€ 7", "€ 900"), ",", 1250),
        (cycle("۱۲۳٫۵", "۵"), ".", 123.5),
    ],
)
def test_the_decimal_mark_is_a_fact_of_the_column(values: list[str], decimal: str, first: float, look: Look) -> None:
    read = look(of("x", values))
    assert read.problem.features["x"].decimal == decimal
    assert read.column("x").iloc[0] == pytest.approx(first)


def test_the_other_columns_decide_between_two_readings(look: Look) -> None:
    lines = ["sure;x;y", *(f"{n},5;{1 + n % 90}.{n % 9}00;{n % 7}" for n in range(ROWS))]
    read = look(lines)
    assert read.column("x").iloc[1] == 2100
    assert "other columns have a decimal comma" in read.output


@pytest.mark.parametrize("decimal", [".", ","])
def test_the_mark_can_be_said(decimal: str, tmp_path: Path, look: Look) -> None:
    (tmp_path / "table.csv").write_text("\n".join(of("x", cycle("1.250", "7"), ";")))
    output = tmp_path / "said.toml"
    said = {"decimal": decimal}
    init(str(tmp_path / "table.csv"), "y", query=None, spelling=said, name="t", time=None, output=output, force=True)
    table = read_table(read_problem(output), lambda _: None)
    assert table.frame["x"].iloc[0] == {".": 1.25, ",": 1250}[decimal]


def test_amounts_in_two_currencies_are_in_doubt(look: Look) -> None:
    assert "'EUR', '$' stand beside the numbers" not in look(of("x", cycle("$5", "$6"))).output
    assert "'$', 'EUR' stand beside the numbers" in look(of("x", cycle("$5", "EUR 6"))).output
    assert "% stands in some rows only" in look(of("x", cycle("5 %", "0.07"))).output


def test_a_unit_behind_the_numbers_is_learned(look: Look) -> None:
    read = look(of("weight", [f"{n / 10} kg" for n in range(ROWS)]))
    assert read.facts("weight") == {"kind": "number", "unit": "kg"}
    assert read.column("weight").iloc[7] == pytest.approx(0.7)


def test_what_float32_takes_for_one_is_a_category(look: Look) -> None:
    read = look("long-integers/devices.csv")
    assert read.facts("device") == {"kind": "category"}
    assert "float32 can't tell them apart: 10 values are 1 for the network" in read.output
    assert read.column("device").nunique() == 10


# What stands for missing


@pytest.mark.parametrize("marker", ["-", ".", "--", "missing", "n.a.", "#DIV/0!", "keine"])
def test_a_marker_among_numbers_is_missing(marker: str, look: Look) -> None:
    read = look(of("x", [marker if n % 9 == 0 else f"{n}.5" for n in range(ROWS)]))
    assert read.facts("x") == {"kind": "number", "null": (marker,), "nullable": True}
    assert f"{marker!r} in 27 rows read as missing" in read.output
    assert read.column("x").isna().sum() == 27


def test_several_known_markers_may_stand_in_one_column(look: Look) -> None:
    read = look(of("x", cycle("-", *(f"{n}.5" for n in range(50)), "N.A.", "unknown")))
    assert read.problem.features["x"].null == ("-", "N.A.", "unknown")


@pytest.mark.parametrize("values", [cycle("1", "2", "x"), cycle("-", "a", "b"), cycle("red", "unknown")])
def test_a_word_among_few_values_is_one_of_them(values: list[str], look: Look) -> None:
    assert look(of("x", values)).facts("x")["kind"] == "category"


def test_a_marker_in_the_target_leaves_its_rows_out(look: Look) -> None:
    lines = ["x,y", *(f"{n % 13},{'-' if n % 9 == 0 else n * 7.5}" for n in range(ROWS))]
    read = look(lines)
    assert (read.problem.target.task, read.problem.target.null) == ("regression", ("-",))
    assert len(read.table.frame) == ROWS - 27


@pytest.mark.parametrize(("stray", "every", "share"), [("<0.5", 9, "89%"), ("~7~", 3, "67%"), ("7 or 8", 2, "")])
def test_strays_are_shown_with_their_share(stray: str, every: int, share: str, look: Look) -> None:
    read = look(["x,z,y", *(f"{stray if n % every == 0 else n / 10},{n % 13},{n % 7}" for n in range(ROWS))])
    if share:
        assert read.problem.ignored["x"] == f"mixed: {share} numbers, but also {stray!r} in row 1"
    else:
        assert "identifier" not in read.text


# Dates and times


def test_times_of_day_are_times_of_day(look: Look) -> None:
    read = look("clock-times/start.csv")
    assert read.facts("start") == {"kind": "timestamp", "format": "%H:%M", "cycles": ("hour",)}
    assert read.problem.split.time is None
    assert read.column("start").iloc[0] == pd.Timestamp("1900-01-01 07:29")
    assert "start: a time of day" in read.output


def test_numbers_far_from_all_others_are_doubted(look: Look) -> None:
    read = look(of("v", [str(n % 50 / 10) if n % 9 else "-999" for n in range(ROWS)]))
    assert read.facts("v") == {"kind": "number"}
    assert 'v: 11% are -999, far from all others: null = ["-999"] makes them missing' in read.output
    assert "far from" not in look(of("v", [str(n % 50 / 10) if n % 9 else "9.9" for n in range(ROWS)])).output


def test_a_column_is_no_identifier_because_half_of_it_is_strange(look: Look) -> None:
    zoned = [f"2020-01-{n // 24 + 1:02}T{n % 24:02}:00:00" + "+02:00" * (n % 2) for n in range(ROWS)]
    read = look([f"when,x,y\n{zoned[0]},0.5,1", *(f"{when},{n * 7 % 10},{n * 3 % 10}" for n, when in enumerate(zoned))])
    assert "mixed: 50% dates, but also '2020-01-01T01:00:00+02:00' in row 3" in read.text


def test_values_that_stand_in_one_row_each_are_doubted(look: Look) -> None:
    assert (
        "v: most values stand in one row only"
        in look(of("v", [f"{n % 200} {'k' * (n % 2)}g" for n in range(ROWS)])).output
    )
    wide = look([f"v,x,y\n{10**17},1,1", *(f"{10**17 + 7919 * n},{n * 7 % 10},{n * 3 % 10}" for n in range(ROWS))])
    assert "an identifier: nearly every value is another, and float32 can't tell them apart" in wide.text


def test_what_has_no_ink_is_no_part_of_a_number(look: Look) -> None:
    assert look(of("v", [f"{n % 50 / 10}\u200b" for n in range(ROWS)])).ends("v") == (0, pytest.approx(4.9))


def test_durations_are_numbers_of_seconds(look: Look) -> None:
    read = look("clock-times/took.csv")
    assert read.facts("took") == {"kind": "number", "format": "duration"}
    assert read.column("took").iloc[0] == 5 * 3600 + 40 * 60 + 13
    named = look(of("duration", [f"0:{n % 60:02}:07" for n in range(ROWS)]))
    assert named.column("duration").iloc[41] == 41 * 60 + 7


def test_years_of_two_digits_are_of_the_last_hundred(look: Look) -> None:
    read = look("two-digit-years/observations.csv")
    assert read.problem.split.time == "obs_date"
    assert read.column("obs_date").is_monotonic_increasing
    assert read.column("obs_date").dt.year.agg(["min", "max"]).tolist() == [1950, 2021]
    assert "years of two digits are read as 19" in read.output


def test_years_of_two_digits_may_lie_ahead(look: Look) -> None:
    read = look(of("expiry", [f"{1 + n % 28}/{1 + n % 12}/{25 + n // 20}" for n in range(ROWS)]))
    assert read.column("expiry").dt.year.agg(["min", "max"]).tolist() == [2025, 2036]


@pytest.mark.parametrize("file", ["contracts.csv", "few.csv"])
def test_a_date_far_from_all_others_is_no_time_to_split_by(file: str, look: Look) -> None:
    read = look(f"far-dates/{file}")
    assert read.problem.split.time is None
    assert "are 9999-12-31, far from all others: not a time to split by" in read.output


def test_an_old_date_far_from_all_others_is_told(look: Look) -> None:
    days = [f"2020-{1 + n % 12:02}-{1 + n % 28:02}" if n % 9 else "1900-01-01" for n in range(ROWS)]
    read = look(of("seen", days))
    assert read.problem.split.time is None
    assert "11% are 1900-01-01, far from all others" in read.output


IN_ORDER = [f"{1 + n % 120 // 10}/{3 + n // 120}/2020" for n in range(ROWS)]  # neither of both is above 12


@pytest.mark.parametrize(
    ("values", "told", "month"),
    [
        (cycle("27/3/2020", "1/3/2020"), "the day first, because 27/3/2020 stands in row 1", 3),
        (cycle("3/1/2020", "3/27/2020"), "the month first, because 3/27/2020 stands in row 2", 3),
        (
            [f"{1 + n % 120 // 10}/{3 + n // 120}/2020" for n in range(ROWS)],
            "the day first, because the rows are then in order",
            3,
        ),
    ],
)
def test_the_order_of_day_and_month_is_told(values: list[str], told: str, month: int, look: Look) -> None:
    read = look(of("when", values))
    assert told in read.output
    assert read.column("when").dt.month.iloc[0] == month


@pytest.mark.parametrize(
    ("name", "values", "format", "first"),
    [
        ("created_at", ["1588896000", "1588982400"], "epoch_s", "2020-05-08"),
        ("ts", ["1588896000000", "1588982400000"], "epoch_ms", "2020-05-08"),
        ("order date", ["43959", "43960.5"], "excel", "2020-05-08"),
        ("month", ["March 2020", "April 2020"], "%B %Y", "2020-03-01"),
        ("month", ["2020-03", "2020-04"], "%Y-%m", "2020-03-01"),
        ("tag", ["8. Mai 2020", "12. März 2020"], "%d. %B %Y", "2020-05-08"),
        ("when", ["8.5.2020", "2020-05-09"], "%d.%m.%Y", "2020-05-08"),
        ("week", ["2020-W19", "2020-W20"], "", "2020-05-04"),
    ],
)
def test_moments_in_many_forms(name: str, values: list[str], format: str, first: str, look: Look) -> None:
    read = look(of(name, cycle(*values)))
    assert (read.problem.features[name].kind, read.problem.features[name].format) == ("timestamp", format)
    assert read.column(name).iloc[0] == pd.Timestamp(first)


def test_plain_numbers_are_no_moments(look: Look) -> None:
    assert look(of("amount", cycle("43959", "43960"))).facts("amount") == {"kind": "number"}
    assert look(of("population", cycle("1588896000", "1588982400"))).facts("population")["kind"] != "timestamp"


def test_offsets_in_some_rows_only_are_told(look: Look) -> None:
    days = [f"2020-03-{1 + n % 28:02}T{n % 24:02}:00:{n % 60:02}{'Z' if n % 3 else ''}" for n in range(ROWS)]
    read = look(["when,z,y", *(f"{day},{n % 13},{n % 7}" for n, day in enumerate(days))])
    assert read.problem.ignored["when"].startswith("mixed: 67% dates, but also '2020-03-01T00:00:00' in row 1")


# Columns without a meaning


def test_an_index_without_a_name_is_ignored(look: Look) -> None:
    read = look("unnamed-index/table.csv")
    assert list(read.problem.features) == ["x", "city"]
    assert read.problem.ignored["Unnamed: 0"].startswith("the index of a table")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([f"{n:08x}-1234-4321-abcd-{n:012x}" for n in range(ROWS)], "an identifier (UUIDs)"),
        ([f"order {n:x}" for n in range(ROWS)], "an identifier (nearly every value is another)"),
        ([f"{n}/{n + 7}" for n in range(ROWS)], "nearly every value is another, such as '0/7': an identifier, or "),
    ],
)
def test_an_identifier_is_called_so_only_where_it_is_one(values: list[str], reason: str, look: Look) -> None:
    read = look(["x,z,y", *(f"{value},{n % 13},{n % 7}" for n, value in enumerate(values))])
    assert read.problem.ignored["x"].startswith(reason)


# Types that kernels don't know, and blanks


def test_half_floats_are_numbers(look: Look) -> None:
    assert look("half-floats/half.parquet").ends("h") == pytest.approx((0.02, 99.31), abs=0.01)


def test_string_views_are_categories(look: Look) -> None:
    assert look("string-views/views.parquet").column("ls").cat.categories.sort_values().tolist() == [
        "Bern",
        "Lima",
        "Oslo",
        "Pune",
    ]


def test_blanks_around_values_are_no_part_of_them(look: Look) -> None:
    read = look("leading-blanks/adult-like.csv", "income")
    assert read.problem.target.classes == ("<=50K", ">50K")
    assert sorted(read.column("workclass").cat.categories) == ["Private", "Self-emp", "State-gov"]
    assert read.column("workclass").isna().any()


# Formats in the problem file

PROBLEM = """
name = "t"
[source]
path = '{path}'
[target]
name = "y"
task = "binary"
classes = [0, 1]
[split]
time = "when"
[features]
"when" = {{ kind = "timestamp", format = "{format}" }}
"x" = {{ kind = "number" }}
"""


def read_with(format: str, tmp_path: Path) -> Table:
    path = tmp_path / "problem.toml"
    path.write_text(PROBLEM.format(path=CASES / "strptime-formats/table.csv", format=format))
    return read_table(read_problem(path), lambda _: None)


@pytest.mark.parametrize(
    ("format", "fault"),
    [
        ("%-d/%-m/%Y", "%-d is no directive of strptime: write %d, which reads 7 and 07 alike"),
        ("%s", '%s is no directive of strptime: write "epoch_s"'),
        ("%d/%m/%Y %", "a % at its end stands for nothing: write %% for the sign itself"),
        ("%d/%m/%d", "%d stands twice in '%d/%m/%d'"),
        ("%G-W%V-%u", "%G is no directive of strptime that is read here: known are %Y %y %m %d"),
    ],
)
def test_a_format_that_is_none_is_named(format: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem) as caught:
        read_with(format, tmp_path)
    assert f"`features.when.format`: {fault}" in str(caught.value)


def test_a_format_that_fits_no_row_names_one(tmp_path: Path) -> None:
    assert len(read_with("%d/%m/%Y", tmp_path).frame) == ROWS
    found = "^`when`: no value can be read as a date and time written 'yyyy-MM-dd': row 1 has '29/03/2024'$"
    with pytest.raises(InvalidTable, match=found):
        read_with("yyyy-MM-dd", tmp_path)
