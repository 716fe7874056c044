"""`[decision]` of a problem file: what it may say, and the sentence for each entry that is wrong."""

import json
from pathlib import Path

import pytest

from ekiben.training.problem import InvalidProblem, ProblemConfig, read_problem

PROBLEM = """name = "shop"
source = { path = "t.csv" }
target = { name = "b", task = "binary" }
features = { a = { kind = "number" } }
"""
SAID = (
    "metric = 'f1'",
    "metric = 'balanced_accuracy'",
    "false_alarm = 1\nmiss = 5.5",
    "flag = 0.1",
)


def read(folder: Path, text: str) -> ProblemConfig:
    (folder / "problem.toml").write_text(text)
    return read_problem(folder / "problem.toml")


@pytest.mark.parametrize("said", SAID)
def test_one_way_is_read_and_survives_json(said: str, tmp_path: Path) -> None:
    problem = read(tmp_path, f"{PROBLEM}[decision]\n{said}")
    assert problem.decision is not None
    assert problem.decision.costs == ((1, 5.5) if "miss" in said else None)
    assert ProblemConfig.model_validate(json.loads(problem.model_dump_json())) == problem


def test_it_may_be_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, PROBLEM).decision is None


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("", "`decision`: it says nothing: say `metric`, `false_alarm` with `miss`, or `flag`, or leave"),
        ("metric = 'f1'\nflag = 0.1", "`decision`: `metric` and `flag` both choose a threshold: keep one of"),
        ("false_alarm = 1\nmiss = 1\nflag = 0.1", "`decision`: `false_alarm` and `flag` both choose a threshold"),
        ("false_alarm = 1", "`decision`: `false_alarm` needs `miss` beside it: say what each of the two costs"),
        ("miss = 1\nmetric = 'f1'", "`decision`: `miss` needs `false_alarm` beside it"),
        ("metric = 'auc'", "`decision.metric`: input should be 'f1' or 'balanced_accuracy'"),
        ("metric = 'youden'", "`decision.metric`: input should be 'f1' or 'balanced_accuracy'"),
        ("flag = 1.5", "`decision.flag`: input should be less than 1"),
        ("flag = -0.1", "`decision.flag`: input should be greater than 0"),
        ("flag = [0.1]", "`decision.flag`: input should be a valid number"),
        ("metric = ['f1']", "`decision.metric`: input should be 'f1' or 'balanced_accuracy'"),
        ("false_alarm = -1\nmiss = 2", "`decision.false_alarm`: input should be greater than 0"),
        ("false_alarm = 1\nmiss = 1e300", "`decision.miss`: input should be less than or equal to 1000000000000000"),
        ("flag = 10", "`decision.flag`: input should be less than 1"),
        ("flag = 0", "`decision.flag`: input should be greater than 0"),
        ("flag = nan", "`decision.flag`: input should be a finite number"),
        ("flag = true", "`decision.flag`: input should be a valid number"),
        ("false_alarm = '1'\nmiss = 2", "`decision.false_alarm`: input should be a valid number"),
        ("false_alarm = 0\nmiss = 2", "`decision.false_alarm`: input should be greater than 0"),
        ("false_alarm = 1\nmiss = inf", "`decision.miss`: input should be a finite number"),
        ("threshold = 0.3", "`decision.threshold`: extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_one_sentence(said: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem) as caught:
        read(tmp_path, f"{PROBLEM}[decision]\n{said}")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/problem.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "why"),
    [("multiclass", "of several classes the likeliest is the answer"), ("regression", "a number is no decision")],
)
def test_only_two_classes_are_decided_between(task: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem, match=f"decision: it is for two classes, and {why}: leave it out"):
        read(tmp_path, PROBLEM.replace("binary", task) + "[decision]\nmetric = 'f1'")
