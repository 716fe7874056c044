"""The problem file: what it says is read, and what it should not say is named."""

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from ekiben.contract.feature import Number
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.problem import BUILT_IN, InvalidProblem, load_problem, read_problem
from ekiben.training.source_config import FileSource
from ekiben.training.toml_file import MAX_BYTES
from tests.conftest import ROOT
from tests.every_kind import LATE

GOOD = """
name = "delay"
[source]
path = "delays.csv"
[target]
name = "late"
task = "binary"
[split]
time = "departure"
validate_from = 2013-10-01
test_from = 2013-11-01
[features.distance]
kind = "number"
"""


def reject(text: str | bytes, folder: Path) -> str:
    path = folder / "problem.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidProblem) as caught:
        read_problem(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}")
    return message.removeprefix(f"{path}")


def test_the_built_in_problem_is_read() -> None:
    problem = read_problem(BUILT_IN)
    assert (problem.name, problem.target.name, problem.slices) == ("flight_delay", "late", ("carrier", "origin"))
    assert (problem.split.validate_from, problem.split.test_from) == (date(2013, 10, 1), date(2013, 11, 1))
    assert len(problem.features) == 20
    assert all(known.description for known in problem.features.values())


def test_features_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(GOOD + '[features.b]\nkind = "number"\n[features.a]\nkind = "boolean"\n')
    assert list(read_problem(tmp_path / "problem.toml").features) == ["distance", "b", "a"]


@pytest.mark.parametrize("how", ["hash", "drop"])
def test_what_is_said_of_the_row_log_stands_in_the_schema(tmp_path: Path, how: str) -> None:
    (tmp_path / "problem.toml").write_text(GOOD + f'log = "{how}"\n')
    known = read_problem(tmp_path / "problem.toml").features["distance"].facts()
    table = pd.DataFrame({"distance": [1.0, 2.0]})
    (feature,) = learn_schema("delay", table, LATE, {"distance": known}).features
    assert feature.log == how
    reject(GOOD + 'log = "encrypt"\n', tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "delay"', "", ": `name`: field required"),
        ('[source]\npath = "delays.csv"\n', "", ": `source`: field required"),
        ('path = "delays.csv"', "", ": `source`: expected `path` of a file, or `url` and `query` of a database"),
        ('path = "delays.csv"', 'loader = "taxis"', ": `source.loader`: input should be 'flights'"),
        ('path = "delays.csv"', 'url = "sqlite:///a.db"', ": `source.query`: field required"),
        (
            'path = "delays.csv"',
            'path = "a.csv"\ndelimiter = ""',
            ": `source.delimiter`: string should have at least 1 character",
        ),
        (
            'task = "binary"',
            'task = "ranking"',
            ": `target.task`: input should be 'binary', 'multiclass' or 'regression'",
        ),
        ('[target]\nname = "late"', "[target]", ": `target.name`: field required"),
        ("[features.distance]", "[other.distance]", ": `features`: field required"),
        ("test_from = 2013-11-01", "", ": `split`: validate_from, test_from and time go together"),
        (
            "test_from = 2013-11-01",
            "test_from = 2013-11-01\ntest = 0.9",
            ": `split.test`: input should be less than 0.5",
        ),
        ("[features.distance]", "[features.late]", ": `late` is a feature and the target: it can only be one"),
        (
            "[features.distance]",
            '[ignored]\ndistance = "why"\n[features.distance]',
            ": `distance` is a feature and ignored: it can only be one",
        ),
        ('name = "delay"', 'name = "delay"\ncolour = "red"', ": `colour`: extra inputs are not permitted"),
        ('name = "late"', 'name = "late"\nshade = "min"', ": `target.shade`: extra inputs are not permitted"),
        (
            "[features.distance]",
            '[privacy]\ngolden = "maybe"\n[features.distance]',
            ": `privacy.golden`: input should be 'keep', 'scramble' or 'omit'",
        ),
        (
            "[features.distance]",
            '[privacy]\nrows = "omit"\n[features.distance]',
            ": `privacy.rows`: extra inputs are not permitted",
        ),
        ('time = "departure"', "time = 7", ": `split.time`: input should be a valid string"),
        (
            'task = "binary"',
            'task = "regression"\nordered = [1, 2, 3]',
            ": `target`: `ordered` is for classes, and numbers have an order: leave it out",
        ),
        (
            'task = "binary"',
            'task = "binary"\nordered = ["a", "b"]',
            ": `target`: `ordered` is for three classes and more: name two in `classes`, the last is the one asked for",
        ),
        (
            'task = "binary"',
            'task = "multiclass"\nordered = ["low", "mid", "low"]',
            ": `target`: `ordered` names 'low' twice: name each class once",
        ),
        (
            'task = "binary"',
            'task = "multiclass"\nclasses = ["a", "b", "c"]\nordered = ["a", "b", "c"]',
            ": `target`: `ordered` and `classes` both name the classes: leave `classes` out",
        ),
    ],
)
def test_a_wrong_entry_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    assert reject(GOOD.replace(old, new), tmp_path) == message


@pytest.mark.parametrize(
    "line", ["", 'kind = "colour"', 'kind = "number"\nlow = "zero"', 'kind = "number"\ncolour = 1']
)
def test_a_wrong_entry_of_a_feature_is_named(line: str, tmp_path: Path) -> None:
    assert reject(GOOD.replace('kind = "number"', line), tmp_path).startswith(": `features.distance")


@pytest.mark.parametrize("kind", ["category", "boolean", "timestamp"])
def test_only_a_number_can_be_monotone(kind: str, tmp_path: Path) -> None:
    message = f": `features.distance`: only a number grows: a {kind} can't be monotone; leave it out"
    assert reject(GOOD.replace('kind = "number"', f'kind = "{kind}"\nmonotone = "up"'), tmp_path) == message


def test_an_unknown_direction_is_named(tmp_path: Path) -> None:
    message = reject(GOOD + 'monotone = "increasing"\n', tmp_path)
    assert message == ": `features.distance.monotone`: input should be 'up' or 'down'"


def test_where_no_class_is_higher_nothing_is_monotone(tmp_path: Path) -> None:
    text = GOOD.replace('"binary"', '"multiclass"') + 'monotone = "up"\n'
    assert reject(text, tmp_path) == (
        ": `distance` can't be monotone: no class of the target is higher than another; "
        "leave `monotone` out, or name the classes in `ordered`, from the lowest on"
    )
    (tmp_path / "problem.toml").write_text(text.replace('"multiclass"', '"multiclass"\nordered = ["a", "b", "c"]'))
    assert read_problem(tmp_path / "problem.toml").target.ordered == ("a", "b", "c")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_direction_stands_in_the_schema(direction: str, tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(GOOD + f'monotone = "{direction}"\n')
    known = read_problem(tmp_path / "problem.toml").features["distance"].facts()
    (feature,) = learn_schema("delay", pd.DataFrame({"distance": [1.0, 2.0]}), LATE, {"distance": known}).features
    assert isinstance(feature, Number)
    assert feature.monotone == direction


@pytest.mark.parametrize("day", ['"soon"', "2013-10-01T12:00:00", '"2013-02-30"'])
def test_a_wrong_date_is_named(day: str, tmp_path: Path) -> None:
    text = GOOD.replace("validate_from = 2013-10-01", f"validate_from = {day}")
    assert reject(text, tmp_path).startswith(": `split.validate_from`: ")


@pytest.mark.parametrize(
    "text", ["name =", "name", "[target", 'name = "a"\nname = "b"', GOOD.replace('"late"', "late")]
)
def test_bad_toml_says_where(text: str, tmp_path: Path) -> None:
    message = reject(text, tmp_path)
    assert message.startswith(" is not valid TOML: ")
    assert "(at " in message


def test_an_empty_file_lacks_its_first_entry(tmp_path: Path) -> None:
    assert reject("", tmp_path) == ": `name`: field required"


def test_a_file_that_is_no_text_is_rejected(tmp_path: Path) -> None:
    reject(b"\xff\xfe", tmp_path)


CASE = ROOT / "tests" / "cases" / "problem-with-mark" / "problem.toml"


def test_a_byte_order_mark_is_nothing(tmp_path: Path) -> None:
    marked = CASE.read_bytes()
    assert marked.startswith(b"\xef\xbb\xbf")
    (tmp_path / "problem.toml").write_bytes(marked[3:])
    plain = read_problem(tmp_path / "problem.toml")
    shutil.copy(CASE, tmp_path)
    assert read_problem(tmp_path / "problem.toml") == plain


UTF16 = " is in UTF-16, as PowerShell's > writes: save it as UTF-8 (Set-Content -Encoding utf8)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.encode("utf-16"), UTF16),
        (GOOD.encode("utf-16-be"), UTF16),
        (GOOD.encode("utf-16-le"), UTF16),
        (GOOD.encode("utf-32"), " is in UTF-32: save it as UTF-8"),
        (GOOD.replace("late", "spät").encode("cp1252"), " is not in UTF-8 (byte 0xe4 in line 6): save it as UTF-8"),
        (b"\xef\xbb\xbf" + b"a = 1", ": `name`: field required"),
        (b"a = " + b"[" * 20_000, " is not valid TOML: it is nested too deeply"),
        (b"a = " + b"9" * 5_000, " is not valid TOML: "),
        (b"#" * (MAX_BYTES + 1), " is no problem file: it has more than 16 MB"),
    ],
    ids=["utf-16", "utf-16-be", "utf-16-le", "utf-32", "cp1252", "mark", "deep", "digits", "large"],
)
def test_bytes_that_are_no_problem_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    assert reject(content, tmp_path).startswith(message)


def test_a_device_without_an_end_is_not_read_for_ever() -> None:
    with pytest.raises(InvalidProblem, match=r"^/dev/zero is no problem file"):
        read_problem(Path("/dev/zero"))


def test_a_name_that_bentoml_does_not_take_is_rejected(tmp_path: Path) -> None:
    assert "at most 63 characters" in reject(GOOD.replace('"delay"', f'"{"a" * 64}"'), tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem) as caught:
        read_problem(tmp_path / "nowhere.toml")
    assert str(caught.value) == f"{tmp_path}/nowhere.toml: No such file or directory"


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem, match="Is a directory"):
        read_problem(tmp_path)


def test_a_path_starts_at_the_problem_file(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(GOOD)
    assert read_problem(tmp_path / "problem.toml").source == FileSource(path=tmp_path / "delays.csv")


def test_feature_names_may_hold_anything(tmp_path: Path) -> None:
    names = ["a b", "c.d", "هزینه", "价格", "😀", 'say "hi"']
    text = "".join(f"[features.{json.dumps(name, ensure_ascii=False)}]\nkind = 'number'\n" for name in names)
    (tmp_path / "problem.toml").write_text(GOOD + text, encoding="utf-8")
    assert list(read_problem(tmp_path / "problem.toml").features) == ["distance", *names]


def test_the_problem_of_the_folder_comes_before_the_built_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_problem(None).name == "flight_delay"
    (tmp_path / "problem.toml").write_text(GOOD)
    assert load_problem(None).name == "delay"
    assert load_problem(BUILT_IN).name == "flight_delay"


def test_what_the_source_says_holds_for_every_column(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(
        """
name = "t"
source = { path = "a.csv", decimal = ",", null = ["-"] }
target = { name = "y", task = "regression" }
[features]
a = { kind = "number" }
b = { kind = "number", decimal = ".", null = ["x"] }
c = { kind = "category" }
"""
    )
    problem = read_problem(tmp_path / "problem.toml")
    facts = {name: declared.facts() for name, declared in problem.features.items()}
    assert facts["a"] == {"kind": "number", "decimal": ",", "null": ("-",)}
    assert facts["b"] == {"kind": "number", "decimal": ".", "null": ("x", "-")}
    assert facts["c"] == {"kind": "category", "null": ("-",)}
    assert (problem.target.decimal, problem.target.null) == (",", ("-",))


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ('kind = "number", decimal = ",", grouping = ","', "',' can't be the decimal mark and part thousands"),
        ('kind = "number", format = "%d"', "only a timestamp has the format '%d'; a number may have \"duration\""),
        ('kind = "category", format = "duration"', "only a timestamp has the format 'duration'"),
        ('kind = "number", grouping = "x"', "input should be"),
        ('kind = "timestamp", format = "%Q"', "%Q is no directive of strptime that is read here"),
    ],
)
def test_a_spelling_that_means_nothing_is_rejected(facts: str, fault: str, tmp_path: Path) -> None:
    head = 'name = "t"\nsource = { path = "a.csv" }\ntarget = { name = "y", task = "binary" }\n[features]\n'
    (tmp_path / "problem.toml").write_text(f"{head}a = {{ {facts} }}")
    with pytest.raises(InvalidProblem) as caught:
        read_problem(tmp_path / "problem.toml")
    assert "`features.a" in str(caught.value)
    assert fault in str(caught.value)
