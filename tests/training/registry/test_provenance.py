"""What provenance records of the code and the problem: all that is needed to repeat it, and no secret."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import InvalidTable
from ekiben.training.digests import digest_rooms
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import git
from ekiben.training.registry.git import Patch, read_patch
from ekiben.training.registry.patch_keeping import keep_patch
from ekiben.training.registry.problem_record import describe_problem
from ekiben.training.registry.provenance import check_digest
from ekiben.training.registry.surroundings import ROOMS, describe_environment, describe_machine
from ekiben.training.tables.read import Table
from tests.repository import begin_repository

SECRET = "s3cr3t-word"
Capture = pytest.CaptureFixture[str]


def make_problem(**source: Any) -> ProblemConfig:
    said = {"name": "goods", "target": {"name": "sold", "task": "binary"}, "source": source}
    return ProblemConfig.model_validate(
        said | {"features": {"size": {"kind": "number"}, "age": {"kind": "number", "low": 0}}}
    )


def test_a_problem_is_read_again_from_its_record() -> None:
    problem = make_problem(path="goods.csv", delimiter=";")
    again = ProblemConfig.model_validate(describe_problem(problem))
    assert [facts.facts() for facts in again.features.values()] == [
        facts.facts() for facts in problem.features.values()
    ]
    assert list(again.features) == ["size", "age"]
    assert again.source.path == Path("goods.csv").resolve()  # type: ignore[union-attr]


def test_the_shape_of_the_answers_is_recorded() -> None:
    features = {"size": {"kind": "number", "monotone": "down"}, "age": {"kind": "number"}}
    target = {"name": "grade", "task": "multiclass", "ordered": ["low", "mid", "high"]}
    given = {"name": "goods", "target": target, "source": {"path": "goods.csv"}, "features": features}
    again = ProblemConfig.model_validate(describe_problem(ProblemConfig.model_validate(given)))
    assert again.target.ordered == ("low", "mid", "high")
    assert [facts.facts() for facts in again.features.values()] == list(features.values())


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (f"postgresql://bob:{SECRET}@shop/db", "postgresql://…@shop/db"),
        (f"mysql://shop/db?password={SECRET}", "mysql://shop/db?password=…"),
        ("postgresql://bob:${DATABASE_PASSWORD}@shop/db", "postgresql://bob:${DATABASE_PASSWORD}@shop/db"),
        ("$SHOP_URL", "$SHOP_URL"),
    ],
)
def test_a_databases_login_is_recorded_only_as_a_variable(url: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    problem = make_problem(url=url, query=f"SELECT * FROM goods WHERE word = '{SECRET}'")
    recorded = describe_problem(problem)
    assert recorded["source"]["url"] == kept
    assert SECRET not in str(recorded)


def test_of_the_pipeline_only_the_table_is_recorded_and_no_secret() -> None:
    log = f"s3://KEY:{SECRET}@logs/shop"
    pipeline = {"log": log, "labels": f"{log}/labels", "services": [f"http://bob:{SECRET}@shop:8080"], "margin": 0.1}
    options = {"image_options": [f"build-arg=NPM_TOKEN={SECRET}"]}
    said = make_problem(path="goods.csv").model_dump(exclude_unset=True)
    behaviour = [{"test": "invariance", "feature": "size"}]
    gated = said | {"pipeline": pipeline | options, "retrain": {"schedule": "7d"}, "behaviour": behaviour}
    recorded = describe_problem(ProblemConfig.model_validate(gated))
    assert recorded["pipeline"] == {"log": "s3://…@logs/shop", "labels": "s3://…@logs/shop/labels"}
    assert recorded.keys() == said.keys() | {"pipeline"}
    assert SECRET not in str(recorded)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a committed file, in which the test runs."""
    (tmp_path / "below").mkdir()
    (tmp_path / "one.txt").write_text("one\n")
    begin_repository(tmp_path)
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


def test_a_patch_is_of_the_whole_repository_and_can_be_applied(repository: Path) -> None:
    assert read_patch() is None
    (repository / "one.txt").write_text("two\n")
    subprocess.run(["git", "config", "diff.noprefix", "true"], cwd=repository, check=True)
    patch = read_patch()
    assert patch
    assert patch.content
    assert patch.digest == hashlib.sha256(patch.content).hexdigest()
    subprocess.run(["git", "checkout", "-q", "."], cwd=repository, check=True)
    subprocess.run(["git", "apply"], cwd=repository, input=patch.content, check=True)
    assert (repository / "one.txt").read_text() == "two\n"


def test_a_large_patch_has_a_digest_alone(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "one.txt").write_text("two\n")
    whole = read_patch()
    monkeypatch.setattr(git, "MAX_PATCH_BYTES", 10)
    assert whole
    assert read_patch() == Patch(whole.digest, None)


def test_outside_git_there_is_no_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_patch() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_patch() is None


@pytest.mark.parametrize(
    ("content", "why"), [(None, "is large"), (f"+word = {SECRET}".encode(), "has a secret in it")], ids=str
)
def test_a_patch_that_cannot_be_kept_is_said(
    content: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", SECRET)
    monkeypatch.setattr(MlflowClient, "log_artifact", lambda *_: pytest.fail("it was kept"))
    assert not keep_patch(Patch("0" * 64, content), "run", make_problem(path="goods.csv"))
    assert f"{why}: it is not kept, so commit the changes" in capsys.readouterr().out


def test_a_patch_is_kept_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[str, bytes]] = []
    monkeypatch.setattr(
        MlflowClient, "log_artifact", lambda _, run_id, path: kept.append((run_id, Path(path).read_bytes()))
    )
    assert keep_patch(Patch("0" * 64, b"\xff+\n"), "run", make_problem(path="goods.csv"))
    assert kept == [("run", b"\xff+\n")]
    assert not keep_patch(None, "run", make_problem(path="goods.csv"))


def test_another_table_than_the_expected_one_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    table = Table(pd.DataFrame({"size": [1.0]}), ("size",), (), (), "goods.csv", ())
    check_digest(table, None)
    check_digest(table, table.digest)
    said = rf"goods\.csv has the digest {table.digest}, but the model was trained on abd: put back the table"
    with pytest.raises(InvalidTable, match=said):
        check_digest(table, "abd")


def test_what_is_installed_and_the_machine_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    environment, machine = describe_environment(), describe_machine()
    assert environment.packages["pydantic"]
    assert len(environment.lock or "") == len(digest_rooms(*ROOMS)) == 64
    assert machine.variables["OMP_NUM_THREADS"] == "1"
    assert SECRET not in machine.model_dump_json()
    assert machine.cpu
    assert machine.cores >= 1
