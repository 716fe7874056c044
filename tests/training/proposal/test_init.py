"""`ekiben init`: real tables in, a problem file out that training can read them by."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.datasets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ekiben.contract.errors import InvalidTable, UserError
from ekiben.training.__main__ import main
from ekiben.training.decision_config import DecisionRule
from ekiben.training.problem import InvalidProblem, ProblemConfig, read_problem
from ekiben.training.proposal import init
from ekiben.training.proposal.command import choose_name
from ekiben.training.proposal.file import locate, render
from ekiben.training.proposal.propose import propose
from ekiben.training.source_config import FileSource
from ekiben.training.sources import find_source
from ekiben.training.tables.read import read_table

ROWS = 200
RANDOM = np.random.default_rng(0)
TARGET = [f"{number:.3f}" for number in RANDOM.normal(size=ROWS)]  # what no column predicts
NUMBERS = [f"{number:.2f}" for number in RANDOM.gamma(2, 50, ROWS)]
DAYS = [datetime(2019, 1, 1) + timedelta(days=day) for day in range(ROWS)]
SHUFFLED = [DAYS[index] for index in RANDOM.permutation(ROWS)]


@dataclass
class Written:
    """A problem file as it was written, and what was printed."""

    problem: ProblemConfig
    text: str
    output: str

    def line(self, name: str) -> str:
        """The line of a feature or an ignored column."""
        found = [line for line in self.text.splitlines() if line.startswith(f'"{name}" = ')]
        assert len(found) == 1
        return found[0].removeprefix(f'"{name}" = ')


Propose = Callable[..., Written]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Propose:
    """Propose a problem for a table, given as a path, a URL, columns or a data frame."""

    def propose(table: Any, target: str = "y", **options: Any) -> Written:
        if isinstance(table, dict):
            table = pd.DataFrame(table)
        if isinstance(table, pd.DataFrame):
            table.to_csv(tmp_path / "table.csv", index=False)
            table = tmp_path / "table.csv"
        if isinstance(table, pa.Table):
            pq.write_table(table, tmp_path / "table.parquet", row_group_size=max(64, len(table) // 9))
            table = tmp_path / "table.parquet"
        output = tmp_path / "problem.toml"
        given = {"query": None, "name": None, "time": None, "output": output, "force": True, **options}
        capsys.readouterr()
        init(str(table), target, **given)
        return Written(read_problem(given["output"]), given["output"].read_text("utf-8"), capsys.readouterr().out)

    return propose


def columns(**values: Any) -> dict[str, Any]:
    """Columns, and a target that has nothing to do with them."""
    return {**values, "y": TARGET}


def repeat(*values: Any) -> list[Any]:
    """ROWS of these values in a random order, each as often as the others."""
    return [values[index % len(values)] for index in np.random.default_rng(1).permutation(ROWS)]


def reject(run: Propose, *arguments: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        run(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The whole


def test_what_is_written_and_printed(run: Propose, tmp_path: Path) -> None:
    table = {
        "id": range(1, ROWS + 1),
        "survived": repeat(0, 0, 1, 0),
        "class": repeat(1, 2, 3),
        "name": [f"{word}, Mr. {word[::-1]}" for word in map(str, range(7000, 7000 + ROWS))],
        "sex": repeat("male", "female"),
        "age": ["" if index % 5 == 0 else number for index, number in enumerate(NUMBERS)],
        "deck": [None] * ROWS,
        "alone": repeat("True", "False"),
    }
    table["alive"] = ["yes" if survived else "no" for survived in table["survived"]]
    written = run(table, "survived")
    low, high = (bound(float(age) for age in table["age"] if age) for bound in (min, max))
    assert written.text == (
        f"""# Proposed from the 200 rows of {tmp_path}/table.csv.
name = "table"

[source]
path = "table.csv"
delimiter = ","
encoding = "utf-8"

[target]
name = "survived"
task = "binary"
classes = [0, 1]  # the last, 25.0% of the rows, is the one whose probability is given

# The answer changes at a probability of 0.5. Training finds a better one if you say what it is to be good for:
# [decision]
# metric = "f1"  # or "balanced_accuracy"
# Or, in place of a metric, false_alarm = 1 and miss = 5: what each costs; or flag = 0.1: the share of rows.

# No [split]: no column says when, so the rows are cut at random.

# Only what is known when the prediction is asked for can be a feature.
[features]
"class" = {{ kind = "number" }}  # 1 … 3
"sex" = {{ kind = "category" }}  # 'female', 'male'
"age" = {{ kind = "number", nullable = true }}  # {low:.6g} … {high:.6g}, 20% missing
"alone" = {{ kind = "boolean" }}

[ignored]
"id" = "a row number (every number from the first to the last stands there once)"
"name" = "an identifier (nearly every value is another)"
"deck" = "no row has a value"
"alive" = "gives the target away: balanced accuracy 1.000 by itself; a feature if known beforehand"
"""
    )
    assert written.output == (
        f"""{tmp_path}/table.csv: 200 rows, 9 columns
  target    survived: binary, the probability of 1 (25.0% of the rows) against 0
  split     at random: no column says when
  features  2 numbers: class, age
            1 category: sex
            1 boolean: alone
  ignored   id: a row number (every number from the first to the last stands there once)
            name: an identifier (nearly every value is another)
            deck: no row has a value
            alive: gives the target away: balanced accuracy 1.000 by itself; a feature if known beforehand
wrote {tmp_path}/problem.toml: look it through, then `ekiben train --problem {tmp_path}/problem.toml`
"""
    )


@pytest.mark.parametrize(("values", "offered"), [((0, 1), True), (("a", "b", "c"), False)])
def test_a_decision_is_offered_between_two_classes(
    values: Sequence[Any], offered: bool, run: Propose, tmp_path: Path
) -> None:
    written = run({"a": NUMBERS, "y": repeat(*values)})
    assert ("# [decision]" in written.text) == offered
    path = tmp_path / "taken.toml"
    path.write_text(written.text.replace("# [decision]\n# metric", "[decision]\nmetric"))
    assert read_problem(path).decision == (DecisionRule(metric="f1") if offered else None)


def test_the_command_writes_problem_toml_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(columns(x=NUMBERS)).to_csv("my table.csv", index=False)
    assert main(["init", "my table.csv", "--target", "y"]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("wrote problem.toml: look it through, then `ekiben train`\n")
    assert "reading: 100%" in printed.err
    assert read_problem(Path("problem.toml")).name == "my_table"
    assert main(["init", "my table.csv", "--target", "y"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (
        "",
        "error: problem.toml is there already: add --force to write over it, or -o another.toml\n",
    )
    assert main(["init", "my table.csv", "--target", "y", "--force", "--name", "other"]) == 0
    assert read_problem(Path("problem.toml")).name == "other"


# Kinds


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (repeat("1", "2", "30"), '{ kind = "number" }  # 1 … 30'),
        (repeat("0", "1"), '{ kind = "number" }  # 0 … 1'),
        (repeat("1.5", "", "2"), '{ kind = "number", nullable = true }  # 1.5 … 2, 34% missing'),
        (repeat("$1,000", "$2", "NA", "?"), '{ kind = "number", nullable = true }  # 2 … 1000, 50% missing'),
        (repeat("۱۲", "۱۳٫۵"), '{ kind = "number" }  # 12 … 13.5'),
        (repeat("5 %", "7%"), '{ kind = "number" }  # 5 … 7'),
        (repeat("true", "false"), '{ kind = "boolean" }'),
        (repeat("Yes", "No", ""), '{ kind = "boolean", nullable = true }  # 33% missing'),
        (repeat("t", "f"), '{ kind = "boolean" }'),
        (repeat("male", "female"), "{ kind = \"category\" }  # 'female', 'male'"),
        (repeat("yes", "no", "maybe"), "{ kind = \"category\" }  # 'maybe', 'no', 'yes'"),
        (repeat("1", "2", "3+"), "{ kind = \"category\" }  # '1', '2', '3+'"),
        (repeat(*map(str, range(5)), "x"), '{ kind = "category" }  # 6 values'),
        (repeat("01234", "99999"), "{ kind = \"category\" }  # '01234', '99999', codes: some begin with 0"),
        (repeat("0.5", "0"), '{ kind = "number" }  # 0 … 0.5'),
        (repeat("a\nb", "c\td", "\u200b"), "{ kind = \"category\" }  # '\\u200b', 'a\\nb', 'c\\td'"),
        (
            repeat("13:30", "14:30"),
            '{ kind = "timestamp", format = "%H:%M", cycles = ["hour"] }  # 13:30 … 14:30, a time of day; ',
        ),
        (
            repeat("2013-07-04", "2013-12-24"),
            '{ kind = "timestamp", cycles = ["weekday", "day_of_year"] }  # 2013-07-04 … 2013-12-24',
        ),
        (repeat("2013-07-04", "1950-12-24 17:30:00.5"), '{ kind = "timestamp" }  # 1950-12-24 … 2013-07-04'),
        (repeat("2013-07-04T17:30Z", "2013-12-24T17:30+02:00"), '{ kind = "timestamp", zoned = true }'),
        (repeat("20130704", "20131224"), '{ kind = "timestamp", cycles = ["weekday", "day_of_year"] }'),
        (repeat("20130704", "20131324"), '{ kind = "number" }'),
        (repeat("10000101", "10000102"), '{ kind = "number" }'),
        (
            repeat("4.7.2013", "24.12.2013", ""),
            '{ kind = "timestamp", format = "%d.%m.%Y", cycles = ["weekday", "day_of_year"], nullable = true }',
        ),
        (repeat("7/4/2013 5:30 PM", "12/24/2013 5:30 AM"), '{ kind = "timestamp", format = "%m/%d/%Y %I:%M %p" }'),
        (
            repeat("04/Jul/2013:17:30:00 +0000", "05/Jul/2013:17:30:00 +0200"),
            '{ kind = "timestamp", format = "%d/%b/%Y:%H:%M:%S %z", zoned = true }',
        ),
        (
            repeat("1/2/2013", "3/2/2013", "3/4/2013"),
            '{ kind = "timestamp", format = "%d/%m/%Y", cycles = ["weekday", "day_of_year"] }  # 2013-02-01 … '
            "2013-04-03, the day first? the dates ",
        ),
        (
            repeat("1/1/2013", "2/1/2013", "3/1/2013"),
            '{ kind = "timestamp", format = "%m/%d/%Y", cycles = ["day_of_year"] }  # 2013-01-01 … 2013-03-01, '
            "the month first? ",
        ),
    ],
)
def test_the_kind_of_a_column_of_strings(values: list[str], line: str, run: Propose) -> None:
    born = "day of birth"  # which is not a column to split by
    written = run(columns(**{born: values}))
    assert written.line(born).startswith(line)
    assert written.problem.split.time is None
    check_that_training_reads(written)


TYPED: list[tuple[pa.Array, str]] = [
    (pa.array(repeat(1, 2, None)), '{ kind = "number", nullable = true }  # 1 … 2, 33% missing'),
    (pa.array(repeat(0.5, float("nan"), 1e30)), '{ kind = "number", nullable = true }  # 0.5 … 1e+30, 34% missing'),
    (pa.array(repeat(Decimal("1.50"), Decimal("2.25"))), '{ kind = "number" }  # 1.5 … 2.25'),
    (pa.array(repeat(0, 1), pa.uint8()), '{ kind = "number" }  # 0 … 1'),
    (pa.array(repeat(True, False, None)), '{ kind = "boolean", nullable = true }  # 33% missing'),
    (pa.array(repeat("1", "2")), '{ kind = "number" }  # 1 … 2'),
    (pa.array(repeat("a", "b")).dictionary_encode(), "{ kind = \"category\" }  # 'a', 'b'"),
    (pa.array(repeat("a", "b"), pa.large_string()), "{ kind = \"category\" }  # 'a', 'b'"),
    (
        pa.array(repeat(date(2013, 7, 4), date(2014, 7, 4))),
        '{ kind = "timestamp", cycles = ["weekday"] }  # 2013-07-04 … 2014-07-04',
    ),
    (
        pa.array(repeat(datetime(2013, 7, 4), datetime(2014, 7, 4, 12))),
        '{ kind = "timestamp", cycles = ["hour", "weekday"] }',
    ),
    (
        pa.array(repeat(*(datetime(2013, 7, day, day, tzinfo=UTC) for day in (4, 5)))),
        '{ kind = "timestamp", zoned = true }',
    ),
    (
        pa.array(repeat(20130704, 20131224)),
        '{ kind = "timestamp", format = "%Y%m%d", cycles = ["weekday", "day_of_year"] }',
    ),
    (pa.array(repeat(20130704, 20131324)), '{ kind = "number" }'),
    (
        pa.array(repeat(date(1, 1, 1), date(9999, 12, 31))),
        '{ kind = "timestamp", cycles = ["weekday", "day_of_year"] }  # 0001-01-01 … 9999-12-31',
    ),
    (
        pa.array([3600 * (index % 7) for index in range(ROWS)], pa.time32("s")),
        '{ kind = "timestamp", format = "%H:%M:%S", cycles = ["hour"] }  # 00:00 … 06:00',
    ),
    (
        pa.array([3600 * (index % 7) for index in range(ROWS)], pa.duration("s")),
        '{ kind = "number", format = "duration" }  # 0 … 21600, a duration in seconds',
    ),
    (pa.array(repeat([1], [2])), '"it holds list<element: int64>, which no kind of feature does"'),
    (pa.array(repeat(b"x", b"y")), '"it holds binary, which no kind of feature does"'),
    (pa.array(repeat({"a": 1}, {"a": 2})), '"it holds struct<a: int64>, which no kind of feature does"'),
    (pa.nulls(ROWS), '"no row has a value"'),
    (pa.array(repeat(1.0, float("inf"))), "\"mixed: 50% numbers, but also 'inf' in row "),
    (pa.array(repeat(5, 5)), "\"the same in all rows: '5'\""),
]


@pytest.mark.parametrize(("values", "line"), TYPED, ids=lambda case: getattr(case, "type", None))
def test_the_kind_of_a_typed_column(values: pa.Array, line: str, run: Propose) -> None:
    table = pa.table({"born": values, "x": pa.array(map(float, NUMBERS)), "y": pa.array(map(float, TARGET))})
    written = run(table)
    assert written.line("born").startswith(line)
    check_that_training_reads(written)


def check_that_training_reads(written: Written) -> None:
    """What is proposed fits every value of the table, and nulls are only where they are announced."""
    table = read_table(written.problem, lambda _: None)
    assert table.parse_failures == ()
    for name, declared in written.problem.features.items():
        assert table.frame[name].isna().any() == declared.nullable


# Columns that are ignored


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("x", ["7"] * ROWS, "the same in all rows: '7'"),
        ("x", [""] * ROWS, "no row has a value"),
        ("x", range(5, 5 + ROWS), "a row number (every number from the first to the last stands there once)"),
        ("x", range(ROWS, 0, -1), "a row number (every number from the first to the last stands there once)"),
        ("x", RANDOM.permutation(ROWS), "a row number (every number from the first to the last stands there once)"),
        ("Unnamed: 0", range(ROWS), "a row number (every number from the first to the last stands there once)"),
        ("", range(ROWS), "it has no name"),
        ("customerId", [7 * n for n in range(ROWS)], "an identifier, by its name (and nearly every value is another)"),
        ("id_of_order", [7 * n for n in range(ROWS)], "an identifier, by its name (and nearly every value is another)"),
        ("x", [f"{7 * n:08x}-aa" for n in range(ROWS)], "an identifier (nearly every value is another)"),
        (
            "x",
            [f"they said {7 * n} times that it was fine so far" for n in range(ROWS)],
            "free text, 43 characters on average",
        ),
        ("x", [*NUMBERS[:100], "<0.1", *NUMBERS[101:]], "mixed: 99% numbers, but also '<0.1' in row 101"),
        ("x", [*map(str, DAYS[:100]), "never", *map(str, DAYS[101:])], "mixed: 99% dates, but also 'never' in row 101"),
    ],
)
def test_a_column_that_says_nothing_is_ignored(name: str, values: Sequence[Any], reason: str, run: Propose) -> None:
    written = run({name: values, "other": NUMBERS, "y": TARGET})
    assert written.problem.ignored == {name: reason}
    assert list(written.problem.features) == ["other"]
    assert reason in written.output


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", ["7"] * 100 + [""] * 100),  # known or not: that says something
        ("x", [7 * n for n in range(ROWS)]),
        ("id", repeat(1, 2, 3, 4)),
        ("x", NUMBERS),
        ("id", NUMBERS),
        ("paid", [7 * n for n in range(ROWS)]),
        ("x", repeat("they said so many times that it was fine so far", "and then they said no more than that")),
        ("x", repeat(*(f"shop {n}" for n in range(100)))),
        ("x", [*range(1, ROWS), 7]),
    ],
)
def test_a_column_that_says_something_is_kept(name: str, values: Sequence[Any], run: Propose) -> None:
    assert list(run({name: values, "y": TARGET}).problem.features) == [name]


def test_what_no_feature_is_left_from_is_rejected(run: Propose) -> None:
    assert reject(run, {"y": TARGET}).endswith("table.csv has no column to predict `y` from")
    message = reject(run, {"x": ["7"] * ROWS, "y": TARGET})
    assert message.endswith("table.csv has no column to predict `y` from (`x`: the same in all rows: '7')")
    assert reject(run, {"x": ["7"] * ROWS, "z": range(ROWS), "y": TARGET}).endswith("to predict `y` from")


# Columns that give the target away

CLASSES = repeat("red", "green", "blue")
FLAGS = repeat("yes", "no", "no")
AMOUNTS = [float(number) for number in TARGET]


@pytest.mark.parametrize(
    ("target", "leak"),
    [
        (FLAGS, FLAGS),
        (FLAGS, [int(flag == "yes") for flag in FLAGS]),
        (FLAGS, [float(index) if flag == "yes" else -1 - index / 3 for index, flag in enumerate(FLAGS)]),
        (FLAGS, [f"paid {index % 5}" if flag == "yes" else None for index, flag in enumerate(FLAGS)]),
        (CLASSES, [{"red": 3, "green": 1, "blue": 2}[colour] for colour in CLASSES]),
        (CLASSES, [colour[0] for colour in CLASSES]),
        (AMOUNTS, AMOUNTS),
        (AMOUNTS, [3 * amount - 7 for amount in AMOUNTS]),
        (AMOUNTS, [-amount for amount in AMOUNTS]),
        (AMOUNTS, [float(np.exp(amount)) for amount in AMOUNTS]),
        (AMOUNTS, [round(amount, 1) for amount in AMOUNTS]),
        (AMOUNTS, [f"${1000 * amount + 9000:,.0f}" for amount in AMOUNTS]),
        (AMOUNTS, [amount if index % 3 else None for index, amount in enumerate(AMOUNTS)]),
        (AMOUNTS, [str(datetime(2020, 1, 1) + timedelta(hours=amount)) for amount in AMOUNTS]),
        ([30 * (n // 5) for n in range(ROWS)], [f"step {n // 5}" for n in range(ROWS)]),
    ],
)
def test_a_copy_of_the_target_is_found(target: list[Any], leak: list[Any], run: Propose) -> None:
    written = run({"leak": leak, "x": NUMBERS, "z": SHUFFLED, "y": target}, time="z")
    assert list(written.problem.features) == ["x", "z"]
    assert written.problem.ignored["leak"].startswith("gives the target away: ")


@pytest.mark.parametrize("load", ["iris", "wine", "breast_cancer", "diabetes"])
def test_no_honest_column_is_taken_for_a_copy(load: str, run: Propose) -> None:
    table = getattr(sklearn.datasets, f"load_{load}")(as_frame=True)
    written = run(pa.Table.from_pandas(table.frame, preserve_index=False), "target")
    assert list(written.problem.features) == list(table.feature_names)
    assert written.problem.ignored == {}
    assert written.problem.target.task == {"diabetes": "regression", "breast_cancer": "binary"}.get(load, "multiclass")


def test_a_noisy_or_rough_copy_stays(run: Propose) -> None:
    noise = np.random.default_rng(5).normal(size=ROWS)
    table = {
        "noisy": [amount + 0.3 * error for amount, error in zip(AMOUNTS, noise, strict=True)],
        "sign": [amount > 0 for amount in AMOUNTS],
        "y": AMOUNTS,
    }
    assert list(run(table).problem.features) == ["noisy", "sign"]


def test_where_only_copies_are_left_they_stay_with_a_remark(run: Propose) -> None:
    written = run({"x": [2 * amount for amount in AMOUNTS], "y": AMOUNTS})
    assert list(written.problem.features) == ["x"]
    assert "gives the target away" in written.line("x")


def test_the_time_of_the_split_gives_nothing_away(run: Propose) -> None:
    written = run({"day": DAYS, "x": NUMBERS, "y": [float(n) ** 2 for n in range(ROWS)]})
    assert written.problem.split.time == "day"
    assert list(written.problem.features) == ["day", "x"]


# The target


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (repeat("True", "False", "True"), "binary", (False, True)),
        (repeat("0", "1", "1"), "binary", (0, 1)),
        (repeat("-1", "1", "1"), "binary", (-1, 1)),
        (repeat("1", "2", "2", "2"), "binary", (2, 1)),
        (repeat("1", "2", "1", "1"), "binary", (1, 2)),
        (repeat("yes", "no", "yes"), "binary", ("no", "yes")),
        (repeat("Positive", "negative", "Positive"), "binary", ("negative", "Positive")),
        (repeat("good", "bad", "good"), "binary", ("good", "bad")),
        (repeat("bad", "good", "bad"), "binary", ("bad", "good")),
        (repeat("0.5", "1.5", "1.5"), "binary", ("1.5", "0.5")),
        (repeat("b", "a", "c"), "multiclass", ("a", "b", "c")),
        (repeat("10", "9", "8"), "multiclass", (8, 9, 10)),
        (repeat("2.0", "1.0", "3.0"), "multiclass", (1, 2, 3)),
        (repeat("10", "9", "x"), "multiclass", ("10", "9", "x")),
        (repeat(*map(str, range(20))), "multiclass", tuple(range(20))),
        (repeat(*map(str, range(21))), "regression", ()),
        (repeat("1.5", "2.5", "3.5"), "regression", ()),
        (repeat("$1,000", "$2,000", "$3,500.50"), "regression", ()),
        (repeat("۱", "۲", "۳٫۵"), "regression", ()),
    ],
)
def test_the_task_and_the_classes(values: list[str], task: str, classes: tuple[Any, ...], run: Propose) -> None:
    written = run({"x": NUMBERS, "y": values})
    target = written.problem.target
    assert (target.task, target.classes) == (task, classes)
    assert [type(label) for label in target.classes] == [type(label) for label in classes]
    check_that_training_reads(written)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (repeat(True, False), "binary", (False, True)),
        (repeat(0, 1), "binary", (0, 1)),
        (repeat(0.0, 1.0, None), "binary", (0, 1)),
        (repeat("0", "1"), "binary", ("0", "1")),
        (repeat(Decimal("1.0"), Decimal("2.0"), Decimal("3.0")), "multiclass", (1, 2, 3)),
        (repeat(1.5, 2.5, 3.5), "regression", ()),
    ],
)
def test_the_classes_of_a_typed_target(values: list[Any], task: str, classes: tuple[Any, ...], run: Propose) -> None:
    target = run(pa.table({"x": pa.array(map(float, NUMBERS)), "y": pa.array(values)})).problem.target
    assert (target.task, target.classes) == (task, classes)
    assert [type(label) for label in target.classes] == [type(label) for label in classes]


def test_whole_numbers_of_few_rows_are_a_quantity(run: Propose) -> None:
    values = [str(index % 10) for index in range(60)]
    assert run({"x": NUMBERS[:60], "y": values}).problem.target.task == "regression"


def test_many_classes_are_written_on_several_lines(run: Propose) -> None:
    classes = [f'class {n:02} "quoted" \\ 🙂\n' for n in range(25)]
    written = run({"x": NUMBERS, "y": repeat(*classes)})
    assert written.problem.target.classes == tuple(label.strip() for label in classes)
    assert max(map(len, written.text.splitlines())) < 500


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([""] * ROWS, "`y` has no value in any row: there is nothing to learn from"),
        (["5"] * ROWS, "`y` is 5 in all 200 rows that have one: there is nothing to predict"),
        (repeat("true", "True", ""), "`y` is true in all 134 rows that have one: there is nothing to predict"),
        (["1", "0"] * 24 + ["1"] + [""] * 151, "the table has 49 rows with a `y`: at least 50 are needed"),
        (["1"] + [""] * 199, "the table has 1 row with a `y`: at least 50 are needed"),
        (
            repeat("4.7.2013", "24.12.2013"),
            "`y` holds dates: a target is a class or a number, such as the days until then",
        ),
        (repeat("2013-07-04", "2013-12-24", "2014-01-01"), "`y` holds dates: "),
        (
            [f"user {n}" for n in range(ROWS)],
            "`y` is an identifier (nearly every value is another): a target is a number, ",
        ),
        ([f"they said {n} times that it was all right by them" for n in range(ROWS)], "`y` is free text, "),
        ([*NUMBERS[:-1], "many"], "`y` is 99% numbers, but also 'many' in row 200: "),
    ],
)
def test_what_can_be_no_target_is_rejected(values: list[str], message: str, run: Propose) -> None:
    assert reject(run, {"x": NUMBERS, "y": values}).startswith(message)


def test_a_typed_column_that_can_be_no_target_is_rejected(run: Propose) -> None:
    table = pa.table({"x": pa.array(map(float, NUMBERS)), "y": pa.array(repeat([1], [2]))})
    assert reject(run, table) == "`y` holds list<element: int64>: a target is a class or a number"


def test_more_classes_than_can_be_told_apart_are_rejected(run: Propose) -> None:
    strings = [f"c{n % 1001}" for n in range(2002)]
    message = reject(run, {"x": NUMBERS * 10 + NUMBERS[:2], "y": strings})
    assert message.startswith("`y` has 1,001 different strings: a target is a number or one of at most 1,000 classes")
    kept = run({"x": NUMBERS * 10, "y": strings[:1000] * 2})
    assert len(kept.problem.target.classes) == 1000


def test_a_rare_class_is_named(run: Propose) -> None:
    written = run({"x": NUMBERS, "y": ["a"] * 99 + ["b"] * 97 + ["c"] * 4})
    warning = "fewer than 5 rows have 'c': pool them with another class or drop them before training"
    assert f"# {warning}" in written.text.splitlines()
    assert warning in written.output
    assert "fewer" not in run({"x": NUMBERS, "y": ["a"] * 99 + ["b"] * 96 + ["c"] * 5}).text


def test_rows_without_a_target_are_counted(run: Propose) -> None:
    written = run({"x": NUMBERS, "y": [*TARGET[:150], *[""] * 50]})
    assert "50 of them have no target: they are left out." in written.text.splitlines()[0]
    assert "  left out  50 rows without y\n" in written.output


def test_a_target_that_is_not_there_is_named_with_what_is_near(run: Propose) -> None:
    message = reject(run, {"surface": NUMBERS, "price": TARGET}, "prise")
    assert "has no column `prise`; did you mean `price`?; it has: surface, price" in message
    assert "has no column `when`; " in reject(run, columns(x=NUMBERS), time="when")


@pytest.mark.parametrize("text", ["", "x,y\n", "x,y\n1,2\n"])
def test_a_table_without_rows_enough_is_rejected(text: str, run: Propose, tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text(text)
    reject(run, tmp_path / "small.csv")


# The split


@pytest.mark.parametrize(
    ("table", "time", "why"),
    [
        (columns(day=DAYS), "day", "the rows are in its order"),
        (columns(day=DAYS[::-1]), "day", "the rows are in its order"),
        (columns(day=[day.strftime("%d.%m.%Y") for day in DAYS]), "day", "the rows are in its order"),
        (columns(day=SHUFFLED), "day", "the only column that says when"),
        (columns(other=SHUFFLED, day=DAYS), "day", "the rows are in its order"),
        (columns(day=DAYS, other=DAYS[1:] + DAYS[:1]), "day", "the rows are in its order"),
        (
            columns(day=SHUFFLED, other=SHUFFLED[::-1]),
            None,
            "more than one column says when (day, other): --time names the one to split by",
        ),
        (columns(date_of_birth=DAYS, x=NUMBERS), None, "no column says when"),
        (columns(day=[*DAYS[:-1], None], x=NUMBERS), None, "no column says when"),
        (columns(x=NUMBERS), None, "no column says when"),
    ],
)
def test_the_column_to_split_by_is_found(table: dict[str, Any], time: str | None, why: str, run: Propose) -> None:
    written = run(table)
    assert written.problem.split.time == time
    assert why in written.text
    assert why in written.output
    if time:
        assert f'[split]\ntime = "{time}"  # {why}\n' in written.text
        assert time in written.problem.features


def test_a_remark_is_one_line_whatever_the_columns_are_called(run: Propose) -> None:
    written = run(pa.table({"a\n[features]": SHUFFLED, "b\x7f\r": SHUFFLED[::-1], "y": TARGET}))
    assert "(a [features], b  )" in written.text
    assert set(written.problem.features) == {"a\n[features]", "b\x7f\r"}


def test_the_column_to_split_by_can_be_named(run: Propose) -> None:
    table = columns(day=DAYS, birth=SHUFFLED, x=[*DAYS[:-1], None])
    for time in ("birth", "x"):
        assert run(table, time=time).problem.split.time == time


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("x", "it is a number, not a timestamp"),
        ("flag", "it is a boolean, not a timestamp"),
        ("same", "the same in all rows: '2013-07-04'"),
        ("y", ""),
    ],
)
def test_a_column_that_is_no_time_can_not_be_split_by(time: str, reason: str, run: Propose) -> None:
    table = columns(x=NUMBERS, flag=repeat("yes", "no"), same=["2013-07-04"] * ROWS)
    message = reject(run, table, time=time)
    assert message == (
        f"the rows can't be split by `{time}`: {reason}"
        if reason
        else "`y` is the target: the rows can't be split by it"
    )


def test_a_year_of_which_a_part_is_unseen_is_no_cycle(run: Propose) -> None:
    short = run(columns(day=[day + timedelta(hours=day.day) for day in DAYS])).problem.features["day"]
    assert short.cycles == ("hour", "weekday")
    long = run(columns(day=[datetime(2010, 1, 1) + timedelta(hours=125 * n) for n in range(ROWS)])).problem.features[
        "day"
    ]
    assert "cycles" not in long.model_fields_set


# Names and places


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("titanic.csv", "titanic"),
        ("data/House Prices (2021).csv.gz", "house_prices_2021"),
        ("Käufe.parquet", "kaufe"),
        ("2013.csv", "table_2013"),
        ("فروش.csv", "table"),
        (".csv", "table"),
        ("x" * 90 + ".csv", "x" * 40),
        ("a-.b.csv", "a"),
    ],
)
def test_a_problem_is_called_after_its_file(path: str, name: str) -> None:
    assert choose_name(FileSource(path=Path(path))) == name


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("SELECT * FROM sales", "sales"),
        ('select a, b\nfrom shop."Monthly Sales" where a > 1', "monthly"),
        ("SELECT * FROM [Orders] o JOIN c ON c.id = o.c", "orders"),
        ("VALUES (1)", "table"),
    ],
)
def test_a_problem_is_called_after_its_table(query: str, name: str) -> None:
    source = find_source("sqlite:///shop.db", query)
    assert choose_name(source) == name


@pytest.mark.parametrize("name", ["", "Sales", "2013", "my sales", "a-b", "é", "_a", "a\n"])
def test_a_name_that_the_stores_reject_is_rejected(name: str, run: Propose) -> None:
    message = reject(run, columns(x=NUMBERS), name=name)
    assert message.endswith("can't be a name: use small letters, digits and _, a letter first")


def test_a_path_is_as_seen_from_the_problem_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    data.mkdir()
    monkeypatch.chdir(home)
    assert locate(Path("a.csv"), Path()) == Path("a.csv")
    assert locate(Path("a.csv"), home) == Path("a.csv")
    assert locate(Path("../data/a.csv"), Path()) == Path("../data/a.csv")
    assert locate(Path("../data/a.csv"), data) == Path("a.csv")
    assert locate(Path("a.csv"), data) == Path("../home/a.csv")
    assert locate(data / "a.csv", home) == data / "a.csv"
    assert locate(data / "sub" / "a.csv", data) == Path("sub/a.csv")
    (home / "link").symlink_to(data)
    (home / "b.csv").symlink_to(data / "a.csv")
    assert locate(Path("link/a.csv"), Path()) == Path("../data/a.csv")
    assert locate(Path("b.csv"), Path("link")) == Path("../home/b.csv")


def test_the_written_path_leads_to_the_table(run: Propose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    pd.DataFrame(columns(x=NUMBERS)).to_csv(tmp_path / "deep" / 'my "table" \\1.csv', index=False)
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, Path(), Path("deep"), Path("deep/er"), tmp_path / "deep"):
        written = run('deep/my "table" \\1.csv', output=folder / "problem.toml")
        check_that_training_reads(written)
        assert str(tmp_path) not in written.text


def test_what_can_not_be_written_is_said(run: Propose, tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.write_text("mine")
    with pytest.raises(InvalidProblem, match="is there already: add --force to write over it"):
        run(columns(x=NUMBERS), output=there, force=False)
    assert there.read_text() == "mine"
    with pytest.raises(InvalidProblem, match="there is no folder"):
        run(columns(x=NUMBERS), output=tmp_path / "no" / "problem.toml")
    with pytest.raises(InvalidProblem, match="Is a directory"):
        run(columns(x=NUMBERS), output=tmp_path)


def test_nothing_is_written_of_a_table_that_is_rejected(run: Propose, tmp_path: Path) -> None:
    reject(run, columns(x=NUMBERS), "z")
    assert not (tmp_path / "problem.toml").exists()


def test_no_password_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    pd.DataFrame(columns(x=NUMBERS)).to_csv(tmp_path / "t.csv", index=False)
    proposal = propose(find_source(str(tmp_path / "t.csv"), None), "y", name="t")
    source = find_source("postgresql://me:hush-hush@127.0.0.1:1/shop", "SELECT 1")
    text = render(replace(proposal, source=source), tmp_path)
    assert "postgresql://me:" in text
    assert "hush" not in text


# Tables of other shapes


def test_a_german_file(run: Propose, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "Größe": repeat("klein", "groß"),
            "Preis": [number.replace(".", ",") for number in NUMBERS],
            "Umsatz": [f"{float(n) * 1e4:,.2f}".translate(str.maketrans(",.", ".,")) for n in NUMBERS],
            "Datum": [day.strftime("%d.%m.%Y %H:%M") for day in DAYS],
            "gekauft": repeat("ja", "nein", "nein"),
        }
    )
    table.to_csv(tmp_path / "Käufe 2021.csv", sep=";", index=False, encoding="cp1252")
    written = run(tmp_path / "Käufe 2021.csv", "gekauft")
    assert written.problem.name == "kaufe_2021"
    assert {name: known.kind for name, known in written.problem.features.items()} == {
        "Größe": "category",
        "Preis": "number",
        "Umsatz": "number",
        "Datum": "timestamp",
    }
    check_that_training_reads(written)
    frame = read_table(written.problem, lambda _: None).frame
    np.testing.assert_allclose(frame["Umsatz"], [float(number) * 1e4 for number in NUMBERS], rtol=1e-6)
    assert frame["Datum"].tolist() == DAYS


def test_a_persian_file_with_an_index(run: Propose, tmp_path: Path) -> None:
    digits = str.maketrans("0123456789.", "۰۱۲۳۴۵۶۷۸۹٫")
    table = pd.DataFrame({"قد": [number.translate(digits) for number in NUMBERS], "شهر 🏙": repeat("تهران", "شیراز")})
    table["هدف"] = [number.translate(digits) for number in TARGET]
    table.to_csv(tmp_path / "فروش.csv")
    written = run(tmp_path / "فروش.csv", "هدف")
    assert {name: known.kind for name, known in written.problem.features.items()} == {
        "قد": "number",
        "شهر 🏙": "category",
    }
    assert written.problem.ignored == {"": "it has no name"}
    assert "(unnamed): it has no name" in written.output
    check_that_training_reads(written)


def test_a_database(run: Propose, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        table = pd.DataFrame(
            columns(n=repeat(1, 2, None), x=list(map(float, NUMBERS)), town=repeat("Bonn", "Ulm", None))
        )
        table.to_sql("sales", connection, index=False)
    connection.close()
    written = run(f"sqlite:///{path}", query='SELECT * FROM sales WHERE x > 0 -- "all"\n')
    assert written.problem.name == "sales"
    assert written.line("n").startswith('{ kind = "number", nullable = true }  # 1 … 2')
    assert written.line("town").startswith("{ kind = \"category\", nullable = true }  # 'Bonn', 'Ulm'")
    check_that_training_reads(written)


def test_a_folder_of_parquet_files(run: Propose, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    whole = pa.table(
        {"n": pa.array(range(ROWS)), "x": pa.array(map(float, NUMBERS)), "y": pa.array(map(float, TARGET))}
    )
    for part in range(4):
        pq.write_table(whole.slice(part * 50, 50), folder / f"{part}.parquet")
    written = run(folder)
    assert written.problem.ignored["n"].startswith("a row number")  # across the files
    assert (
        written.line("x")
        == f'{{ kind = "number" }}  # {float(min(NUMBERS, key=float)):.6g} … {float(max(NUMBERS, key=float)):.6g}'
    )
    check_that_training_reads(written)


@pytest.mark.slow
def test_many_values_and_many_batches(run: Propose) -> None:
    rows = 150_000
    random = np.random.default_rng(0)
    names = random.integers(0, 10**9, rows)
    table = {
        "many": [f"v{name}" for name in random.integers(0, 120_000, rows)],
        "unique": [f"v{name}-{index}" for index, name in enumerate(names)],
        "number": range(7, rows + 7),
        "late": [""] * (rows - 10) + ["5"] * 5 + ["x"] * 5,
        "y": random.normal(size=rows),
    }
    written = run(pa.table(table))
    assert written.line("many") == '{ kind = "category" }  # 85,710 values'
    assert written.problem.ignored == {
        "unique": "an identifier (nearly every value is another)",
        "number": "a row number (every number from the first to the last stands there once)",
    }
    remarks = "'5', 'x', 100% missing, 50% numbers, but also 'x' in row 149,996"
    assert written.line("late") == f'{{ kind = "category", nullable = true }}  # {remarks}'


def test_the_same_table_gives_the_same_file(run: Propose) -> None:
    table = columns(x=NUMBERS, day=SHUFFLED, town=repeat("Bonn", "Ulm"))
    assert run(table).text == run(table).text


NAMES = st.lists(
    st.text(min_size=1, max_size=8)
    | st.sampled_from(['"', "\\", "a.b", "a\nb", "\x7f", "\x00", "# no", "🙂", "ستون", "'''"]),
    min_size=1,
    max_size=4,
    unique=True,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES)
def test_any_column_names_survive(run: Propose, names: list[str]) -> None:
    arrays = [pa.array(repeat(f"{name}1", f"{name}2")) for name in names[:-1]] + [pa.array(map(float, TARGET))]
    written = run(pa.Table.from_arrays([pa.array(NUMBERS), *arrays], ["numbers are here", *names]), names[-1])
    assert written.problem.target.name == names[-1]
    assert {*written.problem.features, *written.problem.ignored} == {"numbers are here", *names[:-1]}


VALUES = [
    st.sampled_from(["", "NA", "1", "2.5", "-3", "$1,000", "1e3"]),
    st.sampled_from(["true", "no", "", "T"]),
    st.sampled_from(["a", "b", "#", "'", "\x1b", "1"]),
    st.sampled_from(["1/2/2013", "13/2/2013", "2/13/2013", "3/3/2013"]),
    st.sampled_from(["2013-07-04", "2013-07-04T17:30", "2013-07-04T17:30Z", "20130704", ""]),
    st.text(max_size=4),
]


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(VALUES).flatmap(lambda one: st.lists(one, min_size=1, max_size=6)), min_size=1, max_size=4)
)
def test_training_can_read_whatever_is_proposed(run: Propose, cells: list[list[str]]) -> None:
    columns = {f"c{index}": pa.array(repeat(*strings)) for index, strings in enumerate(cells)}
    written = run(pa.table({**columns, "x": pa.array(NUMBERS), "y": pa.array(TARGET)}))
    assert written.problem.target.task == "regression"
    check_that_training_reads(written)


def test_a_wide_table(run: Propose) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(ROWS, 300)).round(3)).add_prefix("c")
    table["copy"] = table["c7"] * 2
    written = run(table, "c7")
    assert len(written.problem.features) == 299
    assert list(written.problem.ignored) == ["copy"]
    assert "  features  299 numbers: c0, c1, " in written.output
    assert len(written.output) < 2000


def test_a_damaged_table_is_said_to_be_one(run: Propose, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 100 + "1,2,3,4\n")
    with pytest.raises(InvalidTable):
        run(tmp_path / "t.csv")
    with pytest.raises(InvalidTable):
        run(tmp_path / "nowhere.csv")
