"""`[retrain]` of a problem file: what it may say, and the sentence for each entry that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from ekiben.training.durations import read_seconds
from ekiben.training.problem import InvalidProblem, ProblemConfig, read_problem
from ekiben.training.retrain_config import Retrain

PROBLEM = """name = "shop"
source = { path = "t.csv" }
target = { name = "b", task = "binary" }
features = { a = { kind = "number" } }
[retrain]
"""
WHOLE = """schedule = "7d"
new_rows = 10000
new_labels = 1000
drift = true
score = { metric = "auc", below = 0.65 }
cooldown = "1h 30m"
runs_a_day = 2
"""


def read(folder: Path, rules: str) -> ProblemConfig:
    (folder / "problem.toml").write_text(PROBLEM + rules)
    return read_problem(folder / "problem.toml")


def test_every_entry_is_read_and_survives_json(tmp_path: Path) -> None:
    problem = read(tmp_path, WHOLE)
    assert problem.retrain is not None
    assert problem.retrain.schedule is not None
    assert (read_seconds(problem.retrain.schedule), read_seconds(problem.retrain.cooldown)) == (7 * 86_400, 5400)
    assert problem.retrain.score is not None
    assert (problem.retrain.score.metric, problem.retrain.score.below) == ("auc", 0.65)
    assert ProblemConfig.model_validate(json.loads(problem.model_dump_json())) == problem


def test_all_of_it_may_be_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "").retrain == Retrain() == Retrain(cooldown="1h", runs_a_day=4)
    (tmp_path / "problem.toml").write_text(PROBLEM.replace("[retrain]", ""))
    assert read_problem(tmp_path / "problem.toml").retrain is None


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("schedule = 7", 'schedule`: expected a duration such as "7d" or "12h", at most ten years, got 7'),
        ('schedule = "soon"', 'schedule`: expected a duration such as "7d" or "12h", at most ten years, got \'soon\''),
        ('schedule = "0 3 * * 1"', "got '0 3 * * 1'; let cron itself call `ekiben run`"),
        ('cooldown = "0s"', "cooldown`: expected a duration"),
        ('cooldown = "99999d"', "cooldown`: expected a duration"),
        ("new_rows = 0", "new_rows`: input should be greater than 0"),
        ("new_rows = true", "new_rows`: input should be a valid integer"),
        ("new_labels = 1.5", "new_labels`: input should be a valid integer"),
        ('drift = "yes"', "drift`: input should be a valid boolean"),
        ('score = { metric = "auc" }', "score`: say either `below`, such as 0.65, or, of a loss, `above`"),
        ('score = { metric = "auc", below = 1.0, above = 0.5 }', "score`: say either `below`"),
        ('score = { metric = "auc", below = nan }', "score.below`: input should be a finite number"),
        ("score = { below = 0.5 }", "score.metric`: field required"),
        ("runs_a_day = -1", "runs_a_day`: input should be greater than 0"),
        ('colour = "red"', "colour`: extra inputs are not permitted"),
    ],
)
def test_a_wrong_entry_is_named(rule: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem) as caught:
        read(tmp_path, rule)
    said: Any = str(caught.value)
    assert said.startswith(f"{tmp_path}/problem.toml: `retrain.")
    assert sentence in said
