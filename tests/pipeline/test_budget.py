"""Cool-down and budget: only runs that trained count."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from ekiben.pipeline.budget import find_refusal
from ekiben.pipeline.records.journal import begin_run, list_runs
from ekiben.training.problem import ProblemConfig

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path))


def configure(**pipeline: object) -> ProblemConfig:
    return ProblemConfig.model_validate(
        {
            "name": "shop", "source": {"path": "shop.csv"}, "target": {"name": "late", "task": "binary"},
            "features": {"size": {"kind": "number"}}, "pipeline": pipeline,
        }
    )  # fmt: skip


def train(*hours_ago: float, model: str = "shop") -> None:
    for ago in hours_ago:
        trained = (NOW - timedelta(hours=ago)).isoformat()
        begin_run(model, None).model_copy(update={"trained": trained}).begin()


def test_without_a_bound_it_may_always_be_trained() -> None:
    train(*[0.1] * 9)
    assert find_refusal(configure(), NOW) is None


def test_cooldown() -> None:
    train(2)
    begin_run("shop", None).begin().end("stopped", "nothing was trained")
    assert find_refusal(configure(cooldown="2h"), NOW) is None
    assert find_refusal(configure(cooldown="2h 30m"), NOW) == (
        "shop was trained 2 h 0 min ago, within cooldown = 2h 30m: try again in 30 min, or `--force train` trains all "
        "the same"
    )


def test_budget() -> None:
    train(1, 2, 23, 25, 30)
    train(1, 2, model="other")
    assert find_refusal(configure(runs_a_day=4), NOW) is None
    refusal = find_refusal(configure(runs_a_day=3), NOW)
    assert refusal is not None
    assert refusal.startswith("shop was trained 3 times in 24 hours, and runs_a_day = 3: try again later")


def test_a_clock_that_jumped() -> None:
    train(-48)  # it was two days ahead
    assert find_refusal(configure(cooldown="6h", runs_a_day=1), NOW) is None
    train(-2)
    assert find_refusal(configure(cooldown="6h"), NOW) is None
    assert find_refusal(configure(runs_a_day=1), NOW) is not None


def test_a_damaged_file_is_no_run(tmp_path: Path) -> None:
    train(1)
    (tmp_path / "data" / "pipeline" / "runs" / "half.json").write_text("{")
    assert len(list_runs("shop")) == 1


@pytest.mark.parametrize("entry", ["cooldown", "max_age"])
@pytest.mark.parametrize("given", ["soon", "0h", "99999999999999d", 6])
def test_what_is_no_length_of_time_is_one_sentence(entry: str, given: object) -> None:
    with pytest.raises(ValidationError, match="expected a duration such as"):
        configure(**{entry: given})
